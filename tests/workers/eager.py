"""The nursery of tests of rate limits: workers to whom the server gives every step at once.

What the server would hold back waits in the workers then, so that nothing but their agreement keeps the limits.
"""

from datetime import timedelta

import crash.boundaries
import crash.mortal

import runtime.worker

WIDE_OPEN = 1000.0
"""Times a connection's limit, what the server lets through."""
STEPS = 6
"""Of a connection at once in a worker: enough to use up its part, few enough that each soon has its turn again."""
LONGEST_STEP = timedelta(minutes=5)
LONGEST_SILENCE = timedelta(seconds=30)
"""As delivered: steps wait for their turn, and none is given up while it does."""

if __name__ == "__main__":
    setattr(runtime.worker, "STEADY", WIDE_OPEN)  # noqa: B010 -- a constant
    setattr(runtime.worker, "VENDOR_STEPS", STEPS)  # noqa: B010
    setattr(crash.boundaries, "LONGEST_STEP", LONGEST_STEP)  # noqa: B010
    setattr(crash.boundaries, "LONGEST_SILENCE", LONGEST_SILENCE)  # noqa: B010
    crash.mortal.main()

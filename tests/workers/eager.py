"""The nursery of tests of rate limits: workers to whom the server gives every step at once.

What the server would hold back waits in the workers then, so that nothing but their agreement keeps the limits.
"""

from datetime import timedelta

import crash.boundaries
import crash.mortal

import runtime.worker

WIDE_OPEN = 1000.0
"""Times a connection's limit, what the server lets through."""
LONGEST_STEP = timedelta(minutes=1)
"""Steps wait for their turn, so they last longer than where nothing is limited."""

if __name__ == "__main__":
    setattr(runtime.worker, "STEADY", WIDE_OPEN)  # noqa: B010 -- a constant
    setattr(crash.boundaries, "LONGEST_STEP", LONGEST_STEP)  # noqa: B010
    crash.mortal.main()

"""A change of what a workflow asks of Temporal is a decision, not an accident."""

import json

from replay.fingerprint import FINGERPRINTS, fingerprints

ADVICE = """
The commands of a workflow changed, or the conditions they stand under. Runs under way replay their history with the new
code, so
  * guard the new commands with `workflow.patched("what-changed")` and keep the old ones beside them, or
  * where no such run can exist (not released yet, or replay proves it harmless) record the histories anew:
    PYTHONPATH=tests python -m replay.record
then write the fingerprint anew: PYTHONPATH=tests python -m replay.fingerprint
"""


def test_the_commands_of_every_workflow_are_those_of_the_saved_histories() -> None:
    saved = json.loads(FINGERPRINTS.read_text("utf-8"))
    assert fingerprints() == saved, ADVICE


def test_an_added_or_moved_command_changes_the_fingerprint() -> None:
    from replay.fingerprint import _Commands

    before = _Commands.of("async def run():\n    await workflow.sleep(1)\n")
    guarded = _Commands.of("async def run():\n    if x:\n        await workflow.sleep(1)\n")
    assert before == ["run > sleep()"]
    assert guarded == ["run > if x > sleep()"]

"""No credential and no shopper's data in anything the product leaves behind.

The values are distinctive and are looked for in every form they could take: plain, in URLs, in JSON, in hexadecimal
and in base64.
"""

import pytest
from support.leaks.canaries import FUSION_SECRET, NOTES, PEOPLE, Canaries, forms
from support.leaks.story import Story

pytestmark = pytest.mark.timeout(1800)
"""Seconds: the first test of each database has the story told, which takes minutes where other tests run."""


async def test_logs_at_debug_hold_no_canary(story: Story) -> None:
    assert {"worker.log", "gateway.log"} <= set(story.logs)
    assert story.canaries.leaks(story.logs) == []


async def test_histories_read_without_the_codec_hold_no_canary(story: Story) -> None:
    """Events with failures, headers and summaries; memo and search attributes; workflow and schedule ids."""
    assert sum(place.startswith("history") for place in story.temporal) > 15
    assert story.canaries.leaks(story.temporal) == []
    assert story.canaries.leaks((place, place.encode()) for place in story.temporal) == []


async def test_the_store_holds_no_canary_outside_its_vault(story: Story) -> None:
    assert any(len(content) > 20_000 for content in story.store.values())
    assert story.canaries.leaks(story.store) == []


async def test_metrics_hold_no_canary(story: Story) -> None:
    assert any(b"ml_connector_deliveries_total" in content for content in story.metrics.values())
    assert any(b"temporal_" in content for content in story.metrics.values())
    assert story.canaries.leaks(story.metrics) == []


async def test_what_commands_print_holds_no_canary(story: Story) -> None:
    assert len(story.commands) > 15
    assert story.canaries.leaks(story.commands) == []


async def test_a_look_at_records_of_a_pod_names_firms_and_no_people(story: Story) -> None:
    """Some firms are called as a person is; whoever asks for a firm by its number is shown its name."""
    values = {what: value for what, value in story.canaries.values.items() if what != "company"}
    assert any(b"OrganizationName" in content for content in story.looks.values())
    assert Canaries(values).leaks(story.looks) == []


async def test_answers_to_deliveries_hold_no_canary(story: Story) -> None:
    assert story.canaries.leaks(story.answers) == []


async def test_tokens_that_were_issued_are_among_the_canaries(story: Story) -> None:
    assert sum(name.startswith("token") for name in story.canaries.values) >= 2


async def test_the_shop_did_tell_of_people(story: Story) -> None:
    """Otherwise nothing above means anything."""
    told = {leak.split(" in ")[0] for leak in story.canaries.leaks(story.served)}
    assert {*PEOPLE, *NOTES, "company", "pod user"} <= told
    assert any(b"Traceback" in log for log in story.logs.values()), "no step has crashed"


def test_a_canary_is_found_in_every_form() -> None:
    canaries = Canaries({"secret": FUSION_SECRET, **PEOPLE})
    for form in forms(FUSION_SECRET):
        assert canaries.leaks({"somewhere": b"before " + form + b" after"})
    assert canaries.leaks({"somewhere": b"clean"}) == []

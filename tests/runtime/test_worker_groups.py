"""Worker groups in the configuration, and the pollers that a plan opens."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.typed import run_line

from contracts.configuration import Configuration
from runtime import pollers
from runtime.configuring.configuration import load
from runtime.configuring.mistakes import ConfigurationErrors

Write = Callable[..., Path]

BIG = '\n[[worker_groups]]\nname = "big"\nconnections = ["bc-us"]\n'


def many(configuration: Configuration, count: int, **changes: Any) -> Configuration:
    """The same with so many shops."""
    pod = configuration.connection("fusion-test")
    shop, integration = configuration.connection("bc-us"), configuration.integration("us")
    ids = [f"bc-{number}" for number in range(count)]
    return configuration.model_copy(
        update={
            "connections": (pod, *(shop.model_copy(update={"id": one, "store_hash": one}) for one in ids)),
            "integrations": tuple(integration.model_copy(update={"id": one, "source": one}) for one in ids),
            **changes,
        }
    )


def refusals(path: Path) -> list[str]:
    with pytest.raises(ConfigurationErrors) as refused:
        load(path, {})
    return [one.sentence for one in refused.value.mistakes]


def test_without_groups_every_worker_serves_everything(written: Write) -> None:
    configuration = load(written(), {})
    assert pollers.groups(configuration) == ("default",)
    assert [one.id for one in pollers.served_by(configuration, ["default"])] == ["fusion-test", "bc-us"]


def test_a_group_takes_its_connections_out_of_the_default_group(written: Write) -> None:
    configuration = load(written(more=BIG), {})
    assert pollers.groups(configuration) == ("big", "default")
    assert [one.id for one in pollers.served_by(configuration, ["big"])] == ["bc-us"]
    assert [one.id for one in pollers.served_by(configuration, ["default"])] == ["fusion-test"]
    assert configuration.group_of("bc-us") == "big"


def test_a_group_of_a_tenant_holds_all_its_connections(written: Write) -> None:
    configuration = load(written(more='\n[[worker_groups]]\nname = "acme"\ntenants = ["acme"]\n'), {})
    assert pollers.groups(configuration) == ("acme",)


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ('name = "default"\ntenants = ["acme"]', "is there already: it holds what no group names"),
        ('name = "big"\ntenants = ["acme"]' + BIG, "is there already"),
        ('name = "first"\ntenants = ["acme"]' + BIG, 'Connection bc-us is in worker groups "first" and "big"'),
        ('name = "big"\nconnections = ["bc-uk"]', 'There is no connection "bc-uk"'),
        ('name = "big"\ntenants = ["acne"]', 'There is no tenant "acne"'),
        ('name = "big"', "holds no connection"),
    ],
)
def test_groups_that_do_not_fit_are_refused(written: Write, more: str, sentence: str) -> None:
    assert any(sentence in one for one in refusals(written(more=f"\n[[worker_groups]]\n{more}\n")))


def test_few_queues_get_five_pollers_each_and_many_get_one(written: Write) -> None:
    configuration = load(written(), {})
    assert pollers.vendor_pollers(configuration) == 5
    assert pollers.vendor_pollers(many(configuration, 99)) == 3
    assert pollers.vendor_pollers(many(configuration, 300)) == 1


@pytest.mark.parametrize("count", [1, 3, 10, 50, 99, 150, 299, 300, 400])
def test_two_workers_fit_in_a_namespace_however_many_connections(written: Write, count: int) -> None:
    configuration = many(load(written(), {}), count)
    assert pollers.planned(configuration, 2) <= pollers.LIMIT
    if count <= 300:
        assert pollers.planned(configuration, 3) <= pollers.LIMIT


def test_groups_keep_the_pollers_of_each_connection_to_its_workers(written: Write) -> None:
    whole = many(load(written(), {}), 300)
    assert pollers.planned(whole, 4) > pollers.LIMIT
    # The same eight processes in two groups.
    split = many(load(written(more=BIG), {}), 300)
    groups = (split.worker_groups[0].model_copy(update={"connections": tuple(f"bc-{n}" for n in range(150))}),)
    split = split.model_copy(update={"worker_groups": groups})
    assert len(pollers.groups(split)) == 2
    assert pollers.planned(whole, 8) > 2000
    assert pollers.planned(split, 3) <= pollers.LIMIT


def test_a_worker_for_a_group_that_is_not_there_does_not_start(written: Write) -> None:
    ended = run_line({}, "worker", "--config", str(written(more=BIG)), "--group", "bgi")
    assert ended.exit_code == 2
    assert "Groups are: big, default" in ended.output.replace("\n", " ")

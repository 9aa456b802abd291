"""The error that says why, out of the group that side-by-side steps fail with."""

import asyncio

import pytest

from runtime.grouped_errors import ungrouped


async def fail(error: Exception) -> None:
    raise error


async def side_by_side(*errors: Exception) -> None:
    async with asyncio.TaskGroup() as tasks:
        for error in errors:
            tasks.create_task(fail(error))


async def nested(*errors: Exception) -> None:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(side_by_side(*errors))


async def test_the_first_error_of_the_kind_comes_out_of_nested_groups() -> None:
    with pytest.raises(KeyError, match="first"), ungrouped(KeyError):
        await nested(KeyError("first"), KeyError("second"))


async def test_a_mistake_of_our_own_beside_it_is_not_hidden() -> None:
    with pytest.raises(BaseExceptionGroup) as caught, ungrouped(KeyError):
        await nested(KeyError("expected"), ValueError("ours"))
    assert caught.group_contains(ValueError, match="ours", depth=2)


async def test_a_group_without_the_kind_stays_a_group() -> None:
    with pytest.raises(BaseExceptionGroup) as caught, ungrouped(KeyError):
        await side_by_side(ValueError("other"))
    assert caught.group_contains(ValueError, match="other")


async def test_an_error_outside_a_group_is_left_alone() -> None:
    with pytest.raises(ValueError, match="alone"), ungrouped(ValueError):
        await fail(ValueError("alone"))

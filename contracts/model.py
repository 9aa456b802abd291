"""The bases of every model that crosses a boundary, and the value types they share."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field


def _as_utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)


Instant = Annotated[AwareDatetime, AfterValidator(_as_utc)]
"""A point in time. Naive values are refused; every zone is turned into UTC."""

Amount = Annotated[Decimal, Field(allow_inf_nan=False)]
"""An amount of money or a quantity. Always `Decimal`, never a float; JSON carries it as a string."""


class Frozen(BaseModel):
    """An immutable value of our own making: an unknown field is a mistake.

    Errors name the field and not its value, which may tell of a person.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Wire(BaseModel):
    """A document as a vendor sent it: unknown fields are kept out of the way, never fatal. Errors as of `Frozen`."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True, hide_input_in_errors=True)

"""Customers as BigCommerce sends and takes them (V3). Field names are the vendor's.

These models hold personal data, because a customer account needs it: they belong into encrypted payloads only, and show
nothing of it when they are printed. What no account needs (notes, IP address, store credit) is left behind.
"""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from contracts.bigcommerce import Flag, Id, Moment, OptionalId, OptionalMoment, Text
from contracts.bigcommerce_catalog import Change, Numbers, Versioned
from contracts.model import Frozen, Wire

Private = Annotated[Text, Field(repr=False)]
"""Text about a person; never printed."""


class CustomerAddress(Wire):
    """An address of a customer."""

    id: OptionalId = 0
    customer_id: OptionalId = 0
    first_name: Private = ""
    last_name: Private = ""
    company: Private = ""
    address1: Private = ""
    address2: Private = ""
    city: Private = ""
    state_or_province: Private = ""
    """The name, not a code: Texas."""
    postal_code: Private = ""
    country_code: Text = ""
    """ISO 3166, two letters."""
    phone: Private = ""
    address_type: Text = ""
    """residential, commercial."""


class CustomerAttribute(Wire):
    """A value of an attribute that the merchant defined. Always text, whatever the attribute's type."""

    attribute_id: Id
    attribute_value: Private = ""
    customer_id: OptionalId = 0


class AttributeName(Wire):
    """An attribute that the merchant defined."""

    id: Id
    name: Text = ""
    type: Text = ""
    """string, number, date."""


class CustomerGroup(Wire):
    """A group of customers (V2)."""

    id: Id
    name: Text = ""
    is_default: Flag = False
    is_group_for_guests: Flag = False


class ShopCustomer(Versioned):
    """A registered customer, with all addresses and attributes."""

    email: Private = ""
    first_name: Private = ""
    last_name: Private = ""
    company: Private = ""
    phone: Private = ""
    tax_exempt_category: Text = ""
    customer_group_id: OptionalId = 0
    """0: in no group."""
    origin_channel_id: OptionalId = 0
    channel_ids: Numbers = ()
    """Empty: may sign in everywhere."""
    address_count: int = 0
    attribute_count: int = 0
    addresses: Annotated[tuple[CustomerAddress, ...], BeforeValidator(lambda value: value or ())] = ()
    attributes: Annotated[tuple[CustomerAttribute, ...], BeforeValidator(lambda value: value or ())] = ()
    date_created: OptionalMoment = None
    date_modified: Moment


_Hidden = Field(repr=False)
_Email = Annotated[str, Field(min_length=3, max_length=250), _Hidden]
_Text = Annotated[str, Field(max_length=255), _Hidden]
_OptionalText = Annotated[Annotated[str, Field(max_length=255)] | None, _Hidden]
_Name = Annotated[str, Field(min_length=1, max_length=100), _Hidden]
_OptionalName = Annotated[Annotated[str, Field(min_length=1, max_length=100)] | None, _Hidden]
_OptionalPhone = Annotated[Annotated[str, Field(max_length=50)] | None, _Hidden]


class NewAddress(Frozen):
    """An address of a customer to be made."""

    first_name: _Name
    last_name: _Name
    address1: _Text
    city: Annotated[str, Field(max_length=100), _Hidden]
    country_code: Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
    address2: _OptionalText = None
    company: _OptionalText = None
    state_or_province: Annotated[Annotated[str, Field(max_length=100)] | None, _Hidden] = None
    """Needed where the country has any."""
    postal_code: Annotated[Annotated[str, Field(max_length=30)] | None, _Hidden] = None
    phone: _OptionalPhone = None


class NewCustomer(Frozen):
    """A customer to be made. BigCommerce: e-mail addresses are unique. No welcome mail is sent."""

    email: _Email
    first_name: _Name
    last_name: _Name
    company: _OptionalText = None
    phone: _OptionalPhone = None
    tax_exempt_category: Annotated[str, Field(max_length=255)] | None = None
    customer_group_id: Id | None = None
    channel_ids: Annotated[tuple[int, ...], Field(min_length=1)] | None = None
    addresses: Annotated[tuple[NewAddress, ...], Field(max_length=10)] | None = None

    def fields(self) -> dict[str, Any]:
        """What is said about the customer, without what nobody asked for."""
        return self.model_dump(exclude_none=True)


class CustomerChange(Change):
    """New values for a customer. Addresses and attributes have resources of their own."""

    email: Annotated[Annotated[str, Field(min_length=3, max_length=250)] | None, _Hidden] = None
    first_name: _OptionalName = None
    last_name: _OptionalName = None
    company: _OptionalText = None
    phone: _OptionalPhone = None
    tax_exempt_category: Annotated[str, Field(max_length=255)] | None = None
    customer_group_id: Id | None = None

"""The store itself on the wire: facts, currencies, statuses, dates."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from email.utils import format_datetime
from typing import Any

from sandbox.bigcommerce import statuses
from sandbox.bigcommerce.money import minor_units
from sandbox.bigcommerce.profiles import Profile


def date(moment: datetime | None) -> str:
    """RFC 2822 in UTC, empty when there is none: `Tue, 05 Mar 2019 21:40:11 +0000`."""
    return format_datetime(moment) if moment else ""


def label(profile: Profile, status_id: int) -> str:
    """A status as the merchant calls it."""
    return dict(profile.status_labels).get(status_id, statuses.LABELS[status_id])


def render_status(profile: Profile, status_id: int) -> dict[str, Any]:
    return {
        "id": status_id,
        "name": statuses.LABELS[status_id],
        "system_label": statuses.LABELS[status_id],
        "custom_label": label(profile, status_id),
        "system_description": statuses.DESCRIPTIONS[status_id],
    }


def render_store(profile: Profile) -> dict[str, Any]:
    """`GET /v2/store`: what a connector needs for dates, money, channels, and to know where it is."""
    return {
        "id": profile.store_hash,
        "store_id": int(profile.store_id),
        "name": profile.name,
        "domain": f"{profile.store_hash}.example.com",
        "secure_url": f"https://{profile.store_hash}.example.com",
        "status": "live",
        "country": profile.country,
        "country_code": profile.country_code,
        "admin_email": f"owner@{profile.store_hash}.example.com",
        "timezone": {
            "name": profile.timezone,
            "raw_offset": profile.raw_offset,
            "dst_offset": profile.dst_offset,
            "dst_correction": profile.raw_offset != profile.dst_offset,
            "date_format": {"display": "M jS Y", "export": "M jS Y", "extended_display": "M jS Y @ g:i A"},
        },
        "language": "en",
        "currency": profile.currency,
        "currency_symbol": {"USD": "$", "EUR": "€", "JPY": "¥"}.get(profile.currency, profile.currency),
        "decimal_separator": ".",
        "thousands_separator": ",",
        "decimal_places": profile.places,
        "currency_symbol_location": "left",
        "plan_name": "Standard",
        "plan_level": "Standard",
        "plan_is_trial": False,
        "is_price_entered_with_tax": profile.tax_inclusive,
        "default_channel_id": profile.channel_id,
        "default_site_id": 1000,
        "active_comparison_modules": [],
        "features": {"multi_storefront_enabled": False, "stencil_enabled": True},
    }


def render_currencies(profile: Profile, updated: datetime) -> list[dict[str, Any]]:
    rates = ((profile.currency, Decimal(1)), *profile.exchange_rates)
    return [
        {
            "id": index,
            "is_default": index == 1,
            "last_updated": updated.isoformat(),
            "country_iso2": profile.country_code,
            "default_for_country_codes": [],
            "currency_code": code,
            "currency_exchange_rate": f"{rate:.10f}",
            "name": code,
            "token": code,
            "auto_update": False,
            "token_location": "left",
            "decimal_token": ".",
            "thousands_token": ",",
            "decimal_places": minor_units(code),
            "enabled": True,
            "is_transactional": True,
        }
        for index, (code, rate) in enumerate(rates, start=1)
    ]

"""Ages as people say them."""

import datetime as dt


def age(span: dt.timedelta) -> str:
    """`3 days`, `2 h 05 min`, `7 min`, `12 s`; a clock that is ahead counts as now."""
    seconds = max(0, int(span.total_seconds()))
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min"
    if seconds < 86_400:
        return f"{seconds // 3600} h {seconds % 3600 // 60:02d} min"
    days = seconds // 86_400
    return f"{days} {'day' if days == 1 else 'days'}"

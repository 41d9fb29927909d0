"""Parse dates and times of day: `July 4th, 1776` is `1776-07-04`, and `3 pm` is `3:00 PM` and `15:00`.

A date has its month in words or is in ISO format. `03/05/2020` is ambiguous, so it is text. So is `3:30`, which may be
in the morning, in the afternoon, or a ratio.
"""

from __future__ import annotations

import re
from collections.abc import Hashable

_MONTHS = "january february march april may june july august september october november december"
_MONTH = {name[:length]: i for i, name in enumerate(_MONTHS.split(), 1) for length in (3, len(name))} | {"sept": 9}
_NAME = r"(?P<month>[a-z]{3,9})\.?"
_DAY = r"(?P<day>[0-9]{1,2})(?:st|nd|rd|th)?"
_YEAR = r"(?P<year>[0-9]{4})"
_DATES = (
    re.compile(rf"{_NAME} {_DAY}(?:,? {_YEAR})?"),
    re.compile(rf"(?:the )?{_DAY} (?:of )?{_NAME}(?:,? {_YEAR})?"),
    re.compile(r"(?P<year>[0-9]{4})-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})"),
)
_CLOCK = re.compile(r"([0-9]{1,2})(?::([0-5][0-9]))? ?([ap])\.? ?m\.?")
_CLOCK_24 = re.compile(r"(1[3-9]|2[0-3]):([0-5][0-9])")
_LONGEST = 30


def parse_date_or_time(text: str) -> Hashable | None:
    """Return the date or time of day in a normalized text. None if it is neither."""
    if len(text) > _LONGEST or text.isalpha() or text.isdecimal():
        return None
    text = text.lower()
    return _date(text) or _time(text)


def _date(text: str) -> Hashable | None:
    for form in _DATES:
        if match := form.fullmatch(text):
            month = _MONTH.get(match["month"]) or (int(match["month"]) if match["month"].isdigit() else 0)
            day, year = int(match["day"]), match["year"]
            return ("date", year and int(year), month, day) if 1 <= month <= 12 and 1 <= day <= 31 else None
    return None


def _time(text: str) -> Hashable | None:
    if match := _CLOCK.fullmatch(text):
        hour, half = int(match[1]), match[3]
        return ("time", hour % 12 + 12 * (half == "p"), int(match[2] or 0)) if 1 <= hour <= 12 else None
    match = _CLOCK_24.fullmatch(text)
    return ("time", int(match[1]), int(match[2])) if match else None

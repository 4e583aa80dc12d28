"""The forms in which plant files write times, and finding the column that holds them.

    2020-01-31T09:00:00.5+09:00    ISO 8601; from seconds on may be left out; T or a blank
    2020/1/31 9:00, 2020.01.31     year first; also 24:00, AM and PM, 오전 and 오후
    31.01.2020 09:00               day first
    31/01/2020 09:00               day or month first, told by a day above 12 in the column
    202001310900, 20200131090000   digits alone, from the day, minute or second on
    1580428800, 1580428800000      seconds, milliseconds, micro- or nanoseconds since 1970

Since 1970 is read from 1973 on (1e8 s), so that the four units can't be mistaken for each other.
"""

import re
from collections.abc import Sequence

from wearcast.signals.errors import InputError

FORMS = "ISO 8601, 2020/01/31 09:00, 31.01.2020 09:00, 202001310900 or seconds since 1970"

# Alike in Python's re and in RE2, which Arrow has.
_HALF = r"(?P<{}>AM|PM|am|pm|오전|오후)"
_CLOCK = (
    r"(?:(?:T|\s+)"
    + _HALF.format("half_before")
    + r"?\s*(?P<hour>\d{1,2}):(?P<minute>\d{1,2})"
    + r"(?::(?P<second>\d{1,2})(?:[.,](?P<fraction>\d{1,9}))?)?\s*"
    + _HALF.format("half_after")
    + r"?\s*(?P<zone>Z|UTC|[+-]\d{2}:?\d{2}|[+-]\d{2})?)?\s*$"
)
YEAR_FIRST = r"^\s*(?P<year>\d{4})[-/.]\s?(?P<month>\d{1,2})[-/.]\s?(?P<day>\d{1,2})\.?" + _CLOCK
YEAR_LAST = r"^\s*(?P<left>\d{1,2})(?P<mark>[-/.])(?P<right>\d{1,2})[-/.](?P<year>\d{4})" + _CLOCK
DIGITS = (
    r"^\s*(?P<year>(?:19|20|21)\d{2})(?P<month>\d{2})(?P<day>\d{2})"
    r"(?:[T_ ]?(?P<hour>\d{2})(?P<minute>\d{2})(?P<second>\d{2})?)?(?P<zone>Z)?\s*$"
)
SINCE_1970 = r"^\s*(?P<whole>\d{9,10}|\d{12,13}|\d{15,16}|\d{18}|[1-8]\d{18})(?P<part>\.\d*)?\s*$"
_CALENDAR = re.compile("|".join(re.sub(r"\?P<\w+>", "", form) for form in (YEAR_FIRST, YEAR_LAST)))
_ANY = re.compile(f"{_CALENDAR.pattern}|" + re.sub(r"\?P<\w+>", "", f"{DIGITS}|{SINCE_1970}"))

# What Arrow reads by itself.
_ISO = r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?)?"
_NAIVE = re.compile(_ISO, re.ASCII)
_ZONED = re.compile(rf"{_ISO}(?:Z|[+-]\d\d(?::?\d\d)?)", re.ASCII)

# Likeliest first.
_NAMES = (
    *("timestamp", "datetime", "date_time", "date time", "time", "일시", "측정일시", "수집일시"),
    *("시각", "측정시각", "시간", "측정시간", "date"),
    *("날짜", "일자", "zeitstempel", "zeit", "datum"),
)  # fmt: skip


def is_time(texts: Sequence[str], *, calendar: bool = False) -> bool:
    """Whether at least half of the texts, and one, are times; empty ones aside.

    calendar: only dates with marks between year, month and day count, no bare numbers.

    >>> is_time(["2020-01-31 09:00", ""]), is_time(["3.5", "1580428800"], calendar=True)
    (True, False)
    """
    pattern = _CALENDAR if calendar else _ANY
    filled = [text for text in texts if text.strip()]
    found = sum(pattern.match(text) is not None for text in filled)
    return found > 0 and 2 * found >= len(filled)


def find_iso(texts: Sequence[str]) -> str | None:
    """Which of the two forms that Arrow reads by itself all texts have: "naive" or "zoned"."""
    filled = [text for text in texts if text]
    for name, pattern in (("naive", _NAIVE), ("zoned", _ZONED)):
        if filled and all(pattern.fullmatch(text) for text in filled):
            return name
    return None


def find_time(
    file: str, names: Sequence[str], samples: Sequence[Sequence[str]], wanted: str | None
) -> int:
    """Place of the column of times: the one wanted, one of a usual name, or the first with dates.

    samples: some texts of each column.

    Raises:
        InputError: there is none; or two of the wanted name.
    """
    if wanted is not None:
        place = find_column(f"{file}: time", names, wanted)
        if any(samples[place]) and not is_time(samples[place]):
            raise no_time(f"{file}: {wanted}", samples[place])
        return place
    plain = [name.lower() for name in names]
    for name in _NAMES:
        for place, found in enumerate(plain):
            if found == name and is_time(samples[place]):
                return place
    for place, sample in enumerate(samples):
        if is_time(sample, calendar=True):
            return place
    for place, name in enumerate(plain):
        if name in _NAMES:
            raise no_time(f"{file}: {names[place]}", samples[place])
    raise InputError(f"{file}: time", "a column of times", f"columns {', '.join(names)}")


def find_column(field: str, names: Sequence[str], wanted: str) -> int:
    """Place of the one column of that name.

    Raises:
        InputError: there is none, or more than one.
    """
    if names.count(wanted) != 1:
        count = names.count(wanted) or "none"
        raise InputError(
            field, f"one column {wanted!r}", f"{count} among {', '.join(filter(None, names))}"
        )
    return names.index(wanted)


def no_time(field: str, texts: Sequence[str]) -> InputError:
    """The error for a column that holds no times."""
    odd = next((text for text in texts if text.strip() and not _ANY.match(text)), "")
    return InputError(field, f"times ({FORMS})", repr(odd.strip()) if odd else "empty cells")


def is_number(text: str) -> bool:
    """Whether a text is a number.

    >>> is_number("1.5e3"), is_number("1,5")
    (True, False)
    """
    try:
        float(text)
    except ValueError:
        return False
    return True

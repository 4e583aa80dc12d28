"""Single times, in the forms that plant files have; see `signals.cleaning.time_forms`."""

import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone, tzinfo

from wearcast.signals.cleaning.time_forms import DIGITS, SINCE_1970, YEAR_FIRST, YEAR_LAST
from wearcast.signals.clock import find_zone

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)
_SECOND_US = 1_000_000
_CALENDARS = tuple(re.compile(form) for form in (YEAR_FIRST, YEAR_LAST, DIGITS))
_SINCE_1970 = re.compile(SINCE_1970)
_LATE = ("pm", "오후")
_NOON = 12
_MARK = 4


class TimeReader:
    """Reads times that come one after the other.

    time_zone: of times without an offset. newest_us: the newest time read so far. An hour that the
    clock shows twice in autumn is the first one, until times go back within it; an hour that it
    skips in spring counts by the offset before it.

    Raises:
        InputError: there is no such zone.
    """

    def __init__(self, time_zone: str, newest_us: int = 0) -> None:
        self._zone = None if time_zone == "UTC" else find_zone(time_zone)
        self.newest_us = newest_us

    def read(self, text: str) -> int:
        """Microseconds since 1970-01-01 UTC.

        >>> TimeReader("Asia/Seoul").read("2024-05-01 09:00") // 1_000_000
        1714521600
        >>> TimeReader("UTC").read("1714521600.25")
        1714521600250000

        Raises:
            ValueError: it is no time.
        """
        # Other forms have no mark there, and some of them would be dates of other centuries.
        if text[_MARK : _MARK + 1] == "-":
            with suppress(ValueError):
                return self._place(datetime.fromisoformat(text))
        try:
            return self._read_form(text)
        except (ValueError, OverflowError) as error:
            raise ValueError(f"expected a time, got {text[:40]!r}") from error

    def read_number(self, number: float) -> int:
        """The same of seconds, milliseconds, micro- or nanoseconds since 1970."""
        return self.read(str(number) if isinstance(number, int) else f"{number:.6f}")

    def _read_form(self, text: str) -> int:
        for form in _CALENDARS:
            found = form.match(text)
            if found:
                return self._place(_read_calendar(found.groupdict()))
        found = _SINCE_1970.match(text)
        if found is None:
            raise ValueError("none of the forms")
        return self._note(_read_since_1970(found))

    def _place(self, moment: datetime) -> int:
        if moment.tzinfo is not None:
            return self._note((moment - _EPOCH) // _US)
        if self._zone is None:
            return self._note((moment.replace(tzinfo=UTC) - _EPOCH) // _US)
        first, second = (
            (moment.replace(tzinfo=self._zone, fold=fold) - _EPOCH) // _US for fold in (0, 1)
        )
        # Where the clock skips an hour, the second reading is the earlier one.
        return self._note(second if first < self.newest_us and first < second else first)

    def _note(self, time_us: int) -> int:
        self.newest_us = max(self.newest_us, time_us)
        return time_us


def _read_since_1970(found: re.Match[str]) -> int:
    # Seconds to nanoseconds have 9 or 10, 12 or 13, 15 or 16, 18 or 19 digits.
    over = (1, 1000, 10**6, 10**9)[(len(found["whole"]) - 9) // 3]
    part = float(f"0{found['part'] or ''}")
    return int(found["whole"]) * _SECOND_US // over + round(part * _SECOND_US / over)


def _read_calendar(fields: dict[str, str | None]) -> datetime:
    if fields.get("left") and fields["mark"] != ".":
        raise ValueError("a date that does not tell day from month")
    day, month = (fields.get(name) for name in ("left", "right"))
    day, month = fields.get("day") or day, fields.get("month") or month
    hour = int(fields["hour"] or 0)
    half = (fields.get("half_before") or fields.get("half_after") or "").lower()
    if half:
        if hour > _NOON:
            raise ValueError(f"{hour} {half}")
        hour = hour % _NOON + _NOON * (half in _LATE)
    # 24:00 is the end of its day.
    full = hour == 24 and not int(fields["minute"] or 0)  # noqa: PLR2004
    moment = (
        datetime(  # noqa: DTZ001 - the zone comes next
            int(fields["year"] or 0),
            int(month or 0),
            int(day or 0),
            0 if full else hour,
            int(fields["minute"] or 0),
            int(fields["second"] or 0),
            int((fields.get("fraction") or "").ljust(6, "0")[:6]),
        )
        + timedelta(days=full)
    )
    return moment.replace(tzinfo=_read_offset(fields["zone"]))


def _read_offset(text: str | None) -> tzinfo | None:
    if not text:
        return None
    if text in {"Z", "UTC"}:
        return UTC
    minutes = int(text[1:3]) * 60 + int(text[3:].lstrip(":") or 0)
    return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))

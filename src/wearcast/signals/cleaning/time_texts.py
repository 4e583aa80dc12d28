"""Whole columns of texts to times. The forms are those of `time_forms`."""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from wearcast.signals.cleaning.arrow_columns import (
    copy_numbers,
    is_valid,
    make_array,
    read_integers,
)
from wearcast.signals.cleaning.time_forms import DIGITS, SINCE_1970, YEAR_FIRST, YEAR_LAST
from wearcast.signals.errors import InputError

_DAY_US = 86_400_000_000
_TWELVE = 12


class Times(NamedTuple):
    """Times of a column, each int64 or bool (N,).

    times_us: since 1970-01-01, UTC where `zoned`, else by the plant's clock. known: whether the
    text is a time at all; where it is none, times_us is 0.
    """

    times_us: NDArray[np.int64]
    zoned: NDArray[np.bool_]
    known: NDArray[np.bool_]


def parse_times(field: str, texts: pa.ChunkedArray) -> Times:
    """Times of a column of texts.

    field: what an error calls the column.

    Raises:
        InputError: dates like 03/04/2020, and nothing in the column tells day from month.
    """
    for zone in (None, "UTC"):
        try:
            moments = texts.cast(pa.timestamp("us", zone))
        except pa.ArrowInvalid:
            continue
        known = is_valid(moments)
        return Times(read_integers(moments), np.full(len(known), zone is not None), known)
    size = len(texts)
    times = Times(np.zeros(size, np.int64), np.zeros(size, bool), np.zeros(size, bool))
    for pattern in (YEAR_FIRST, YEAR_LAST, DIGITS, SINCE_1970):
        places = np.flatnonzero(~times.known)
        if not len(places):
            break
        # Most files have but one form.
        rest = texts if len(places) == size else texts.take(make_array(places, pa.int64()))
        fields = pc.extract_regex(rest, pattern)
        found = is_valid(fields)
        if not found.any():
            continue
        if not found.all():
            places, fields = places[found], fields.drop_null()
        if pattern is SINCE_1970:
            parsed = _read_since_1970(fields)
        else:
            parsed = _read_calendar(field, fields)
        for all_of_them, some in zip(times, parsed, strict=True):
            all_of_them[places] = some
    return times


def _read_since_1970(fields: pa.ChunkedArray) -> Times:
    whole = _integers(fields, "whole")
    digits = read_integers(pc.utf8_length(_take(fields, "whole")).cast(pa.int64()))
    part = np.empty(len(whole))
    texts = pc.binary_join_element_wise("0", _take(fields, "part"), "")
    copy_numbers(texts.cast(pa.float64()), part, 0)
    # Seconds to nanoseconds have 9 or 10, 12 or 13, 15 or 16, 18 or 19 digits.
    unit = (digits - 9) // 3
    times, over = np.array([1_000_000, 1000, 1, 1])[unit], np.array([1, 1, 1, 1000])[unit]
    times_us = whole * times // over + np.rint(part * times / over).astype(np.int64)
    everywhere = np.ones(len(whole), bool)
    return Times(times_us, everywhere, everywhere)


def _read_calendar(field: str, fields: pa.ChunkedArray) -> Times:
    names = [fields.type.field(place).name for place in range(fields.type.num_fields)]
    year = _integers(fields, "year")
    if "left" in names:
        month, day = _tell_day_from_month(field, fields)
    else:
        month, day = _integers(fields, "month"), _integers(fields, "day")
    hour, minute, second = (_integers(fields, name) for name in ("hour", "minute", "second"))
    fraction_us = np.zeros(len(year), np.int64)
    known = np.ones(len(year), bool)
    if "fraction" in names:
        padded = pc.utf8_slice_codeunits(pc.utf8_rpad(_take(fields, "fraction"), 6, "0"), 0, 6)
        fraction_us = read_integers(padded.cast(pa.int64()))
        half = pc.utf8_lower(
            pc.binary_join_element_wise(
                _take(fields, "half_before"), _take(fields, "half_after"), ""
            )
        )
        late = _equals(half, "pm") | _equals(half, "오후")
        halved = late | _equals(half, "am") | _equals(half, "오전")
        known &= ~halved | (hour <= _TWELVE)
        hour = np.where(halved, hour % _TWELVE + _TWELVE * late, hour)
    months = (year - 1970) * 12 + month - 1
    first = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    after = (months + 1).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    # 24:00 is the end of its day.
    full = (hour < 24) | ((hour == 24) & (minute + second + fraction_us == 0))  # noqa: PLR2004
    known &= (month >= 1) & (month <= 12) & (day >= 1) & (day <= after - first)  # noqa: PLR2004
    known &= full & (minute < 60) & (second < 60)  # noqa: PLR2004
    seconds = (hour * 60 + minute) * 60 + second
    times_us = (first + day - 1) * _DAY_US + seconds * 1_000_000 + fraction_us
    zoned, offset_us = _read_offset(_take(fields, "zone"))
    return Times(np.where(known, times_us - offset_us, 0), zoned & known, known)


def _tell_day_from_month(
    field: str, fields: pa.ChunkedArray
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Month and day of dates that end with the year."""
    left, right = _integers(fields, "left"), _integers(fields, "right")
    # With points the day is first wherever dates are written so.
    pointed = _equals(_take(fields, "mark"), ".")
    day_first, month_first = (bool((side[~pointed] > _TWELVE).any()) for side in (left, right))
    if not pointed.all() and day_first == month_first:
        got = "days above 12 on both sides" if day_first else "none that tells day from month"
        example = f"{left[0]}/{right[0]}/{_integers(fields, 'year')[0]}"
        raise InputError(field, "dates such as 2020-01-31 or 31/01/2020", f"{got}, as in {example}")
    swapped = pointed | day_first
    return np.where(swapped, right, left), np.where(swapped, left, right)


def _read_offset(zones: pa.ChunkedArray) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Whether there is an offset from UTC, and how large."""
    offsets = {"": 0, "Z": 0, "UTC": 0}
    unique = pc.unique(zones)
    names = unique.to_pylist()
    for zone in names:
        if zone not in offsets:
            minutes = int(zone[1:3]) * 60 + int(zone[3:].lstrip(":") or 0)
            offsets[zone] = (-minutes if zone[0] == "-" else minutes) * 60_000_000
    places = read_integers(pc.index_in(zones, unique).cast(pa.int64()))
    zoned = np.array([zone != "" for zone in names])
    return zoned[places], np.array([offsets[zone] for zone in names])[places]


def _take(fields: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    return pc.struct_field(fields, name)


def _integers(fields: pa.ChunkedArray, name: str) -> NDArray[np.int64]:
    """A field as int64 (N,); 0 where it is empty."""
    texts = _take(fields, name)
    return read_integers(pc.if_else(pc.equal(texts, ""), "0", texts).cast(pa.int64()))


def _equals(texts: pa.ChunkedArray, text: str) -> NDArray[np.bool_]:
    return read_integers(pc.equal(texts, text).cast(pa.int64())).astype(bool)

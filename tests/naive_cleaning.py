"""Brute-force oracle of cleaning: one step and one gap at a time."""

import math

from wearcast.signals.cleaning.raw_table import RawTable


def naive_grid(
    raw: RawTable, step_us: int, rule: str, *, resample: bool
) -> tuple[int, list[list[float]]]:
    """Number of the first step, and each channel's readings, found step by step (in UTC)."""
    half_us = 0 if resample else step_us // 2
    rows = sorted(
        ((time_us + half_us) // step_us, time_us, place)
        for place, time_us in enumerate(raw.times_us.tolist())
    )
    steps = range(rows[0][0], rows[-1][0] + 1)
    channels = []
    for readings in raw.values.T.tolist():
        channel = []
        for step in steps:
            found = [readings[place] for row_step, _, place in rows if row_step == step]
            found = [reading for reading in found if not math.isnan(reading)]
            if not found:
                channel.append(math.nan)
            elif resample or rule == "mean":
                channel.append(sum(found) / len(found))
            else:
                channel.append(found[0] if rule == "first" else found[-1])
        channels.append(channel)
    some = [not all(map(math.isnan, row)) for row in zip(*channels, strict=True)]
    begin, end = some.index(True), len(some) - some[::-1].index(True)
    return steps[begin], [channel[begin:end] for channel in channels]


def naive_fill(readings: list[float], gap_limit: int, forward_limit: int) -> list[float]:
    """Readings with gaps filled, one gap after the other."""
    filled = list(readings)
    row = 0
    while row < len(filled):
        end = row
        while end < len(filled) and math.isnan(filled[end]):
            end += 1
        size = end - row
        if 0 < size <= gap_limit and row > 0:
            before = filled[row - 1]
            if size <= forward_limit:
                filled[row:end] = [before] * size
            elif end < len(filled):
                rise = (filled[end] - before) / (size + 1)
                filled[row:end] = [before + rise * (place + 1) for place in range(size)]
        row = end + 1
    return filled

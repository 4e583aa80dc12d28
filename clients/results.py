"""Results as files: NAME.json, NAME.csv and NAME.png, one row for each estimate."""

import csv
import importlib.util
import io
import json
import math
import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from wearcast.signals.clock import format_time
from wearcast.signals.contract import Contract
from wearcast.signals.errors import InputError
from wearcast.signals.estimate import CrossingState, Estimate

Value = str | int | float | bool | None


@dataclass(frozen=True)
class Result:
    """Everything a model answered about one recording; `skipped` names files left out and why."""

    name: str
    contract: Contract
    estimates: Sequence[Estimate]
    skipped: Sequence[str] = ()


def make_row(estimate: Estimate, contract: Contract) -> dict[str, Value]:
    """One estimate as a flat row; None stands for "there is none".

    Times are ISO 8601 UTC, `_s` is seconds. life_fraction and line_value: 0 new, 1 failed.
    line_reaches_LEVEL: NO_CROSSING, AHEAD or ALREADY_CROSSED; line_reaches_LEVEL_at: when, with
    AHEAD. p_fail_Nmin: probability of failing within N minutes. quality: flags, a space between.
    """
    life, end_us = estimate.remaining_life, estimate.window_end_us
    row: dict[str, Value] = {
        "sequence": estimate.sequence,
        "window_end": format_time(end_us),
        "age_s": life.age_s,
        "life_fraction": life.life_fraction,
        "line_value": life.line.value,
        "line_slope_per_s": life.line.slope_per_s,
    }
    crossings = {crossing.level: crossing for crossing in life.line.crossings}
    thresholds = contract.rul.thresholds if contract.rul is not None else ()
    for level in thresholds[2:]:
        crossing = crossings.get(level)
        ahead = crossing is not None and crossing.state is CrossingState.AHEAD
        name = f"line_reaches_{level}"
        row[name] = None if crossing is None else crossing.state.value
        row[f"{name}_at"] = (
            _format_later(end_us, crossing.remaining_s) if crossing is not None and ahead else None
        )
    row |= {
        "rul_s": life.rul_s,
        "rul_low_s": life.rul_low_s,
        "rul_high_s": life.rul_high_s,
        "failure_time": _format_later(end_us, life.rul_s),
    }
    for horizon_s, probability in life.failure_probabilities:
        row[f"p_fail_{horizon_s / 60:g}min"] = probability
    row |= {
        "band": life.band.value,
        "alarm": life.alarm,
        "quality": " ".join(estimate.quality),
    }
    return {name: _finite(value) for name, value in row.items()}


def make_rows(result: Result) -> list[dict[str, Value]]:
    """All estimates as rows."""
    return [make_row(estimate, result.contract) for estimate in result.estimates]


def make_json(result: Result) -> str:
    """A result as JSON text, a line for each estimate."""
    head = {
        "name": result.name,
        "model": result.contract.name,
        "version": result.contract.version,
        "skipped": list(result.skipped),
    }
    rows = [json.dumps(row, allow_nan=False) for row in make_rows(result)]
    estimates = "[\n" + ",\n".join(rows) + "\n]" if rows else "[]"
    return json.dumps(head)[:-1] + f', "estimates": {estimates}}}\n'


def make_csv(result: Result) -> str:
    """A result as CSV text with a header; an empty cell stands for "there is none"."""
    rows = make_rows(result)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else ["sequence"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def write_results(directory: Path, result: Result) -> list[Path]:
    """Write NAME.json, NAME.csv and, where matplotlib is installed, NAME.png; gives their paths.

    In the files' names, whatever may not stand in one is `_`.

    Raises:
        InputError: a file can't be written.
    """
    name = _file_name(result.name)
    contents = {
        directory / f"{name}.json": make_json(result).encode(),
        directory / f"{name}.csv": make_csv(result).encode(),
    }
    if can_plot():
        from wearcast.clients.plot import draw_png  # noqa: PLC0415 - matplotlib is an extra

        contents[directory / f"{name}.png"] = draw_png(result)
    make_folder(directory)
    try:
        for path, content in contents.items():
            _write_whole(path, content)
    except OSError as error:
        raise InputError("out", "a folder to write to", error) from error
    return list(contents)


def make_folder(directory: Path) -> None:
    """Make a folder for results, if it is not there yet.

    Raises:
        InputError: nothing can be written there.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError("out", "a folder to write to", error) from error
    if not os.access(directory, os.W_OK):
        raise InputError("out", "a folder to write to", f"{directory}, which is read-only")


def can_plot() -> bool:
    """Whether matplotlib is installed."""
    return importlib.util.find_spec("matplotlib") is not None


def give_unique_names(paths: Iterable[Path]) -> list[str]:
    """A name for each path that is no other's, not even as the name of a file.

    It is the path's own, with its parents' before it where two have the same, and numbered where
    that does not help.

    >>> give_unique_names([Path("a/Bearing1_4"), Path("b/Bearing1_4"), Path("b/Bearing2_4")])
    ['a-Bearing1_4', 'b-Bearing1_4', 'Bearing2_4']
    """
    parts = [path.resolve().parts[1:] for path in paths]
    names = ["".join(own[-1:]) for own in parts]
    for depth in range(2, max(map(len, parts), default=0) + 1):
        counts = Counter(map(_file_name, names))
        if max(counts.values()) == 1:
            break
        names = [
            name if counts[_file_name(name)] == 1 else "-".join(own[-depth:])
            for name, own in zip(names, parts, strict=True)
        ]
    taken: set[str] = set()
    for place, name in enumerate(names):
        number = 1
        while _file_name(names[place]) in taken:
            number += 1
            names[place] = f"{name}-{number}"
        taken.add(_file_name(names[place]))
    return names


def format_duration(seconds: float) -> str:
    """A duration for people.

    >>> [format_duration(s) for s in (42, 600, 5_400, 180_000)]
    ['42 s', '10 min', '1 h 30 min', '50 h']
    """
    if seconds < 60:  # noqa: PLR2004
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:  # noqa: PLR2004
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 24 else f"{hours} h"  # noqa: PLR2004


def _file_name(name: str) -> str:
    return re.sub(r"[^\w.+-]+", "_", name)


def _format_later(time_us: int, later_s: float | None) -> str | None:
    if later_s is None or not math.isfinite(later_s):
        return None
    try:
        return format_time(time_us + round(later_s * 1e6))
    except OverflowError:  # after the year 9999: a line that hardly rises
        return None


def _finite(value: Value) -> Value:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _write_whole(path: Path, content: bytes) -> None:
    """Write a file so that nobody ever sees half of it."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        unfinished.write_bytes(content)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)

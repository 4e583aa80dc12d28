"""Results as files: NAME.json, NAME.csv, NAME.parquet and NAME.png, with the same rows."""

import csv
import importlib.util
import io
import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from wearcast.clients.explain import Explanation, list_marks
from wearcast.clients.rows import Actuals, Row, make_rows
from wearcast.signals.contract import Contract
from wearcast.signals.errors import InputError
from wearcast.signals.estimate import Estimate
from wearcast.signals.rows import Rows


@dataclass(frozen=True)
class Result:
    """Everything a model answered about one recording; `skipped` names files left out and why.

    readings: what it answered about, where those are rows of a plant; pictures show them, and
    forecasts are put beside them. labelled: the fault that the recording's file says there is;
    empty: it says nothing. explanation: which frequencies speak for the diagnosis.
    """

    name: str
    contract: Contract
    estimates: Sequence[Estimate]
    skipped: Sequence[str] = ()
    readings: Rows | None = None
    labelled: str = ""
    explanation: Explanation | None = None


def make_table(result: Result) -> list[Row]:
    """All estimates as rows, see `wearcast.clients.rows`."""
    part, actuals = result.contract.forecast, None
    if part is not None and result.readings is not None:
        actuals = Actuals(result.readings, part.mean_s)
    return [
        row
        for estimate in result.estimates
        for row in make_rows(estimate, result.contract, actuals)
    ]


def make_json(result: Result) -> str:
    """A result as JSON text, a line for each row."""
    head: dict[str, object] = {
        "name": result.name,
        "model": result.contract.name,
        "version": result.contract.version,
        "skipped": list(result.skipped),
    }
    if result.labelled:
        head["labelled"] = result.labelled
    if result.explanation is not None and result.contract.fault is not None:
        head["explanation"] = list_marks(result.explanation, result.contract.fault)
    rows = [json.dumps(row, allow_nan=False) for row in make_table(result)]
    estimates = "[\n" + ",\n".join(rows) + "\n]" if rows else "[]"
    return json.dumps(head)[:-1] + f', "estimates": {estimates}}}\n'


def make_csv(result: Result) -> str:
    """A result as CSV text with a header; an empty cell stands for "there is none"."""
    rows = make_table(result)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else ["sequence"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def make_parquet(result: Result) -> bytes:
    """A result as Parquet; needs pyarrow."""
    import pyarrow as pa  # noqa: PLC0415 - an extra
    import pyarrow.parquet as pq  # noqa: PLC0415

    content = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(make_table(result)), content)
    return content.getvalue()


def write_results(directory: Path, result: Result) -> list[Path]:
    """Write NAME.json and NAME.csv, NAME.parquet with pyarrow, NAME.png with matplotlib.

    Gives their paths. In the files' names, whatever may not stand in one is `_`.

    Raises:
        InputError: a file can't be written.
    """
    name = file_name(result.name)
    contents = {
        directory / f"{name}.json": make_json(result).encode(),
        directory / f"{name}.csv": make_csv(result).encode(),
    }
    if importlib.util.find_spec("pyarrow") is not None:
        contents[directory / f"{name}.parquet"] = make_parquet(result)
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
        counts = Counter(map(file_name, names))
        if max(counts.values()) == 1:
            break
        names = [
            name if counts[file_name(name)] == 1 else "-".join(own[-depth:])
            for name, own in zip(names, parts, strict=True)
        ]
    taken: set[str] = set()
    for place, name in enumerate(names):
        number = 1
        while file_name(names[place]) in taken:
            number += 1
            names[place] = f"{name}-{number}"
        taken.add(file_name(names[place]))
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


def format_horizon(seconds: float) -> str:
    """A time ahead, exactly.

    >>> [format_horizon(seconds) for seconds in (60, 5400, 86400, 604800)]
    ['1 min', '90 min', '1 d', '7 d']
    """
    for unit_s, unit in ((86_400.0, "d"), (3600.0, "h"), (60.0, "min")):
        if seconds % unit_s == 0:
            return f"{seconds / unit_s:g} {unit}"
    return f"{seconds:g} s"


def file_name(name: str) -> str:
    """A name with `_` for whatever may not stand in the name of a file.

    >>> file_name("line 2/pump")
    'line_2_pump'
    """
    return re.sub(r"[^\w.+-]+", "_", name)


def _write_whole(path: Path, content: bytes) -> None:
    """Write a file so that nobody ever sees half of it."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        unfinished.write_bytes(content)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)

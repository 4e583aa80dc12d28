"""The last part of `wearcast demo`: the edge service beside the simulated plant.

It follows the file that the plant's logger wrote, and sends rows, forecasts and alerts to the
demo's own server, as it would to a central one.
"""

import contextlib
import json
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from wearcast.clients.cli.demo_plant import FORECAST, OUTLIER, Shown
from wearcast.clients.edge.store.opening import reopen_store
from wearcast.clients.results import can_plot
from wearcast.signals.simulation.plant_log import write_plant
from wearcast.signals.simulation.plant_simulation import leak_day, simulate_plant

_ASSET = "simulated-district"
_DAY_US = 86_400_000_000
_CONFIG = """# Settings of the edge service in this demo; docs/edge.md explains them.
asset = "{asset}"
clock = "readings" # the file holds two days; they are replayed as fast as they are read

[[sources]]
type = "csv"
path = "{plant}"
follow = false

[models]
names = ["{outlier}", "{forecast}"]

[store]
path = "{store}"

# Stage 4 for 20 minutes is an alarm, until it has been away for 30.
[alarms]
rules = {{ from_stage = 4, on_delay_s = 1200, off_delay_s = 1800 }}

[alerts]
emit = "transitions"
format = "cloudevents"

[delivery]
type = "grpc"
address = "{address}"
"""


def show_edge(address: str, central: Path, out: Path, *, seed: int, as_json: bool) -> Shown:
    """Run the service over the plant's two days, show its alerts, and what arrived.

    central: the store of the server at that address.
    """
    plant, config, store = (out / f"edge{end}" for end in ("-plant.csv", ".toml", ".sqlite"))
    write_plant(plant, simulate_plant(leak_day(seed=seed)))
    config.write_text(
        _CONFIG.format(
            asset=_ASSET, plant=plant.name, outlier=OUTLIER, forecast=FORECAST, store=store.name,
            address=address,
        )
    )  # fmt: skip
    for ending in ("", "-wal", "-shm"):
        store.with_name(store.name + ending).unlink(missing_ok=True)
    log = out / "edge.log"
    if not as_json:
        click.echo("edge service: follows the plant's file, raises alarms, sends to the server")
    kinds: Counter[str] = Counter()
    for alert in _run(config, log):
        kind = alert["type"].removeprefix("wearcast.alert.")
        kinds[kind] += 1
        if not as_json:
            data = alert["data"]
            value = "no value" if data["value"] is None else f"{data['value']:.3g} {data['unit']}"
            click.echo(
                f"{alert['time'][:16]}Z  alarm {kind:12} {alert['subject']}: "
                f"{data['severity']}, {value}"
            )
    summary = {"alerts": dict(kinds), **_count(store, central)}
    if not as_json:
        click.echo(
            "edge service: {rows} rows, {forecasts} forecasts, {told} alerts; "
            "{acknowledged} deliveries acknowledged by the server, {waiting} wait".format(
                told=kinds.total(), **summary
            )
        )
    return Shown(summary, [plant, config, store, log, *_draw(store)])


def _draw(store: Path) -> list[Path]:
    """A picture of the second day, where pictures can be made."""
    if not can_plot():
        return []
    from wearcast.clients.plot_rows import draw_rows  # noqa: PLC0415

    picture = store.with_suffix(".png")
    with contextlib.closing(reopen_store(store)) as opened:
        end_us = (opened.table.newest_us() or 0) // _DAY_US * _DAY_US
        span = (end_us - _DAY_US, end_us)
        rows = opened.table.read(*span)
        picture.write_bytes(draw_rows(opened.table.columns, rows, opened.alerts(*span)))
    return [picture]


def _run(config: Path, log: Path) -> Iterator[dict[str, Any]]:
    """Alerts of the service as they come; it has ended when they end."""
    command = [sys.executable, "-m", "wearcast", "edge", "--config", str(config)]
    with (
        log.open("w") as errors,
        subprocess.Popen(  # noqa: S603 - our own program
            command, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as process,
    ):
        try:
            for line in process.stdout or ():
                yield json.loads(line)
            if process.wait():
                click.echo(log.read_text().strip(), err=True)
                raise click.exceptions.Exit(process.returncode)
        finally:
            process.kill()


def _count(store: Path, central: Path) -> dict[str, int]:
    queries = {
        "rows": (store, "SELECT count(*) FROM plant"),
        "waiting": (store, "SELECT count(*) FROM outbox"),
        "acknowledged": (central, f"SELECT count(*) FROM parcels WHERE asset = '{_ASSET}'"),  # noqa: S608
        "forecasts": (central, f"SELECT count(*) FROM plant_forecasts WHERE asset = '{_ASSET}'"),  # noqa: S608
    }
    counts = {}
    for name, (path, query) in queries.items():
        with contextlib.closing(sqlite3.connect(path)) as connection:
            counts[name] = int(connection.execute(query).fetchone()[0])
    return counts

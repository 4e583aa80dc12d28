"""`wearcast stream`: follows one asset live."""

import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from wearcast.clients.cli import options
from wearcast.clients.cli.alert_lines import AlertLines, Emit
from wearcast.clients.cli.lines import format_line
from wearcast.clients.client import Client
from wearcast.clients.decode import Notice
from wearcast.clients.folder import Follow, Replay
from wearcast.clients.monitor import Event
from wearcast.clients.ndjson import NdjsonInput
from wearcast.clients.plant_rows import RowsReplay
from wearcast.clients.recordings import read_rows
from wearcast.clients.results import Result, can_plot, write_results
from wearcast.clients.source import Source
from wearcast.clients.vibration_replay import VibrationReplay, pick_vibration
from wearcast.signals.alert_formats import Form
from wearcast.signals.alerts import Alert
from wearcast.signals.contract import Contract
from wearcast.signals.errors import InputError
from wearcast.signals.estimate import Estimate
from wearcast.signals.panel import join_contracts
from wearcast.signals.rows import Rows

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command()
@click.argument("stdin", required=False, type=click.Choice(["-"]), metavar="[-]")
@click.option(
    "--replay", type=click.Path(exists=True, path_type=Path), metavar="PATH",
    help="Send a recorded bearing folder, the file of a plant, or a recording of vibration.",
)  # fmt: skip
@click.option(
    "--recording", metavar="NAME", help="Which one, where --replay names several of vibration.",
)  # fmt: skip
@click.option(
    "--speed", type=str, default="1", show_default=True, metavar="N",
    help="Times real time, with --replay; max: as fast as possible.",
)  # fmt: skip
@click.option("--follow", type=_FOLDER, metavar="DIR", help="Send a folder that is still growing.")
@click.option(
    "--idle-exit", "idle_exit_s", type=click.FloatRange(min=0), metavar="SECONDS",
    help="With --follow: end when nothing new has come for so long.",
)  # fmt: skip
@click.option(
    "--asset", metavar="NAME", help="Name of the asset; default: the recording's or folder's."
)
@click.option(
    "--model", "models", multiple=True, default=("bearing-rul",), show_default=True,
    metavar="NAME", help="The model; several may answer about the same readings.",
)  # fmt: skip
@click.option(
    "--alerts", "emit", type=click.Choice(["none", "every", "transitions"]), default="none",
    show_default=True, help="Print alerts instead of estimates: of every abnormal reading, or of"
    " alarms that begin, change and end.",
)  # fmt: skip
@click.option(
    "--format", "form", type=click.Choice(["bare", "cloudevents"]), default="bare",
    show_default=True, help="How alerts are written.",
)  # fmt: skip
@click.option(
    "--machine-number", metavar="N",
    help="What your systems call the asset, in alerts; default: its name.",
)  # fmt: skip
@click.option(
    "--alarm", "rules", multiple=True, callback=options.split_pairs, metavar="RULE=VALUE",
    help="When an alarm begins and ends, with --alerts transitions: from_stage, on_delay_s, ...",
)  # fmt: skip
@options.version
@options.server
@options.age_at_start
@options.out
@options.resample
@options.as_json
def command(
    *,
    stdin: str | None,
    replay: Path | None,
    recording: str | None,
    speed: str,
    follow: Path | None,
    idle_exit_s: float | None,
    asset: str | None,
    models: tuple[str, ...],
    emit: Emit,
    form: Form,
    machine_number: str | None,
    rules: dict[str, str],
    version: int,
    label: str,
    client: Client,
    age_at_start_s: float,
    out: Path | None,
    resampled: bool,
    as_json: bool,
) -> None:
    """Follow one asset live: a recording replayed, a folder still growing, or lines of JSON (-).

    \b
    Examples:
      wearcast stream --asset Bearing1_4 --replay Test_set/Bearing1_4 --speed 100
      wearcast stream --replay plant.csv --speed max --model flow-forecast --model flow-outlier
      wearcast stream --replay plant.csv --model flow-outlier --alerts transitions
      wearcast stream --replay rotors/A --recording A-unbalance --model rotor-fault

    \b
    A line of JSON is one block:
      {"time": "2024-05-01T09:39:39.065664Z", "sequence": 0,
       "channels": {"horizontal": [0.552, ...], "vertical": [-0.146, ...]}}

    `sequence` may be left out: lines are then numbered one by one, from 0, or, where the server has
    blocks of the asset, after those, behind a gap. Who sends a record again from its start has to
    say it.

    Prints a line for each estimate, or with --alerts a line of JSON for each alert; notices on
    stderr. What the server has stored of the asset comes first; a stream that was stopped goes on
    where it was. Ctrl-C ends it in order; the exit code is 4 if blocks were sent that a server
    which is away has not answered.
    """
    if sum(given is not None for given in (stdin, replay, follow)) != 1:
        text = "give one of --replay PATH, --follow DIR or - (stdin)"
        raise click.UsageError(text)
    options.spare_inputs(out, filter(None, [replay]))
    name = asset or recording or _name_asset(replay or follow)
    times = _parse_speed(speed)
    lines = AlertLines(emit, form, machine_number, rules)
    stop = _stop_on_signals()
    estimates: dict[str, list[Estimate]] = {model: [] for model in models}
    skipped: list[str] = []

    def on_skip(line: str) -> None:
        skipped.append(line)
        click.echo(f"{name}: skipped {line}", err=True)

    with client:
        contracts = {
            model: client.model(model) if place else client.model(model, version, label)
            for place, model in enumerate(models)
        }
        lines.check(list(contracts.values()))
        joined = join_contracts(list(contracts.values()))
        readings: Rows | None = None
        labelled = ""
        source: Source
        if follow is not None:
            _check_followed(joined)
            source = Follow(follow, idle_exit_s=idle_exit_s, on_skip=on_skip)
        elif replay is None:
            source = NdjsonInput(sys.stdin.fileno(), joined)
        elif joined.fault is not None:
            options.spare_recordings(out, [replay])
            vibration = pick_vibration(replay, recording, joined, resampled=resampled)
            labelled = vibration.fault
            source = VibrationReplay(vibration, joined, speed=times)
        elif joined.window > 1:
            source = Replay(replay, speed=times, on_skip=on_skip)
        else:
            readings = read_rows(replay, joined)
            source = RowsReplay(readings, speed=times)
        events = client.monitor(
            source, asset=name, model=models, version=contracts[models[0]].version,
            age_at_start_s=age_at_start_s, stop=stop, alarms=lines.rules,
        )  # fmt: skip
        try:
            for estimate in _show(events, name, contracts, lines, as_json=as_json):
                if out is not None:  # else nothing is kept of a stream that may last for years
                    estimates[estimate.model].append(estimate)
        finally:
            if out is not None:
                own = {model: name if len(models) == 1 else f"{name}-{model}" for model in models}
                _write(
                    out,
                    [
                        Result(own[model], contract, estimates[model], skipped, readings, labelled)
                        for model, contract in contracts.items()
                    ],
                )


def _check_followed(contract: Contract) -> None:
    """A folder that grows holds snapshots, and those are no signal without gaps."""
    if contract.fault is not None:
        raise InputError("follow", "--replay PATH or - with models of kind fault", contract.name)


def _write(out: Path, results: Sequence[Result]) -> None:
    for result in results:
        write_results(out, result)
    if not can_plot():
        click.echo("no plot: it needs matplotlib (pip install 'wearcast[plot]')", err=True)


def _show(
    events: Iterator[Event],
    asset: str,
    contracts: dict[str, Contract],
    lines: AlertLines,
    *,
    as_json: bool,
) -> Iterator[Estimate]:
    """Print what comes, and give the estimates."""
    for event in events:
        if lines.wanted and isinstance(event, Estimate | Alert):
            lines.show(event, asset)
        elif isinstance(event, Estimate):
            click.echo(format_line(event, asset, contracts[event.model], as_json=as_json))
        if isinstance(event, Estimate):
            yield event
        elif isinstance(event, Notice):
            click.echo(f"{asset}: {event}", err=True)


def _name_asset(path: Path | None) -> str:
    if path is None:
        text = "stdin has no name of its own: give --asset NAME"
        raise click.UsageError(text)
    return path.resolve().stem if path.is_file() else path.resolve().name


def _parse_speed(text: str) -> float:
    """Times real time; 0: as fast as possible."""
    try:
        speed = 0.0 if text == "max" else float(text)
    except ValueError:
        speed = -1.0
    if text != "max" and not 0 < speed < float("inf"):
        message = f"--speed: expected a number above 0, or max, got {text}"
        raise click.UsageError(message)
    return speed


def _stop_on_signals() -> threading.Event:
    """Set by the first Ctrl-C or SIGTERM; a second one ends the program at once."""
    stop = threading.Event()

    def handle(number: int, _frame: object) -> None:
        stop.set()
        signal.signal(number, signal.SIG_DFL)

    signal.signal(signal.SIGINT, handle)
    signal.signal(signal.SIGTERM, handle)
    return stop

"""`wearcast evaluate forecast`: how far off forecasts are, beside what needs no model."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from wearcast.clients.cli import gear_forecast, options
from wearcast.clients.cli.durations import DURATION, duration
from wearcast.clients.cli.progress import open_progress

if TYPE_CHECKING:
    from wearcast.signals.rows import Rows
    from wearcast.training.forecast.evaluate import Evaluation
    from wearcast.training.resources import StepCost

Texts = tuple[str, ...]
_MODELS = ("linear", "lstm", "hybrid")
_ETT_MODELS = ("linear", "hybrid")


def _read_window(_context: click.Context, _option: click.Parameter, text: str) -> int | float:
    """Rows (int), or seconds (float)."""
    return int(text) if text.isdecimal() else duration(text)


@click.command("forecast")
@click.option(
    "--data", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
    help="The plant's record: a time and a column for each channel. Or a gear file.",
)  # fmt: skip
@click.option(
    "--ett", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="DIR",
    help="Folder with ETTh1.csv, ETTm1.csv.gz: that benchmark instead, for linear and hybrid.",
)  # fmt: skip
@click.option(
    "--target", "targets", multiple=True, metavar="NAME",
    help="A column to forecast; may be given several times.",
)  # fmt: skip
@click.option(
    "--channel", "channels", multiple=True, metavar="NAME",
    help="A column that is looked at besides the targets.",
)  # fmt: skip
@click.option(
    "--model", "models", multiple=True, type=click.Choice([*_MODELS, "all", gear_forecast.MODEL]),
    help="A kind of model; may be given several times. Else linear, or gear-lstm for a gear file.",
)  # fmt: skip
@click.option(
    "--block", "blocks", multiple=True, type=click.IntRange(min=0), metavar="N",
    help="Of a gear file: only this block, from 0; may be given several times.",
)  # fmt: skip
@click.option(
    "--variant", type=click.Choice(["both", "direct", "recursive"]), default="both",
    show_default=True, help="Each horizon at once, or on from the first with own answers.",
)  # fmt: skip
@click.option(
    "--daily", is_flag=True,
    help="Instead: of daily means, seven give the next; writes NAME.daily.csv.",
)  # fmt: skip
@click.option(
    "--step", "step_s", type=DURATION, default="1min", show_default=True, metavar="DURATION",
    help="From one row to the next.",
)  # fmt: skip
@click.option(
    "--window", default="60", show_default=True, metavar="ROWS|DURATION", callback=_read_window,
    help="What is looked at: rows, or a duration such as 1d.",
)  # fmt: skip
@click.option(
    "--horizon", "horizons_s", type=DURATION, multiple=True, metavar="DURATION",
    default=tuple(f"{day}d" for day in range(1, 8)), show_default=True,
    help="How far ahead; may be given several times.",
)  # fmt: skip
@click.option(
    "--mean", "mean_s", type=DURATION, default="1h", show_default=True, metavar="DURATION",
    help="A value is the mean reading over so long; a step: the reading itself.",
)  # fmt: skip
@click.option(
    "--every", "every_s", default="1h", show_default=True, metavar="DURATION",
    callback=options.read_every,
    help="Forecasts are made where the clock shows a multiple of it; 'row': with each row.",
)  # fmt: skip
@click.option(
    "--calendar", type=click.Choice(["none", "day", "week"]),
    help="The usual course that is taken off; else none for the lstm, a week for others.",
)  # fmt: skip
@click.option(
    "--unit", "units", multiple=True, metavar="NAME=UNIT", callback=options.split_pairs,
    help="The unit of a channel.",
)  # fmt: skip
@click.option(
    "--time-zone", default="UTC", show_default=True, metavar="ZONE",
    help="Where hours and weekdays count, and what the record's times are in.",
)  # fmt: skip
@click.option(
    "--split", default="8:1:1", show_default=True, metavar="A:B:C", callback=options.read_split,
    help="Parts in time to train, calibrate and test; A:B calibrates on the training part's end.",
)  # fmt: skip
@options.epochs
@click.option("--seed", type=click.IntRange(0, 10**9), default=0, show_default=True)
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
    help="Write table.md there; of a plant also NAME.png, residuals.csv and loss.csv.",
)  # fmt: skip
@options.note
@options.as_json
def forecast(
    *, data: Path | None, ett: Path | None, targets: Texts, channels: Texts, models: Texts,
    blocks: tuple[int, ...], variant: str, daily: bool, out: Path | None, note: str | None,
    as_json: bool, seed: int, **chosen: Any,  # noqa: ANN401
) -> None:  # fmt: skip
    """Measure forecasts on the last part of a record, beside what needs no model.

    \b
    Examples:
      wearcast evaluate forecast --data plant.csv --target flow_rate --model all --out out
      wearcast evaluate forecast --data plant.csv --target flow_rate --daily --out out
      wearcast evaluate forecast --ett DIR_WITH_ETT --out out
      wearcast evaluate forecast --data no_fault.csv --model gear-lstm --out out

    Each model is trained on the first parts. Persistence, the same time a day and a week before,
    and what is usual at that time stand beside it, all on the same values.
    """
    import numpy as np  # noqa: PLC0415
    import torch  # noqa: PLC0415

    from wearcast.training.resources import describe_machine  # noqa: PLC0415

    if gear_forecast.wants_gear(data, models):
        gear_forecast.evaluate(
            cast("Path", data), out, blocks=blocks, epochs=chosen["epochs"], seed=seed, note=note,
            as_json=as_json,
        )  # fmt: skip
        return
    if blocks:
        text = "--block is for a gear file alone"
        raise click.UsageError(text)
    costs: list[StepCost] = []
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
    kinds = _MODELS if "all" in models else tuple(dict.fromkeys(models or _MODELS[:1]))
    if ett is not None and data is None and not targets:
        title = "forecast, ETTh1 and ETTm1"
        facts, parts = _judge_ett(ett, tuple(it for it in kinds if it in _ETT_MODELS), seed, costs)
    elif ett is None and data is not None and targets:
        names = tuple(dict.fromkeys((*targets, *channels)))
        rows = _read(
            data, names, 86_400.0 if daily else chosen["step_s"], chosen["time_zone"], costs
        )
        title = f"forecast, {data.name}"
        if daily:
            facts, parts = _judge_days(rows, targets, kinds[0], seed=seed, out=out, costs=costs)
        else:
            evaluation = _judge(
                rows, targets, kinds, variant, costs=costs, chosen={"seed": seed, **chosen}
            )
            facts, parts = _write(evaluation, out)
    else:
        text = "expected --data and --target, or --ett alone"
        raise click.UsageError(text)
    machine = describe_machine({"torch": str(torch.__version__), "numpy": np.__version__})
    text = "\n\n".join(["# " + title, *([note] if note else []), machine, *parts]) + "\n"
    if out is not None:
        (out / "table.md").write_text(text, encoding="utf-8")
    click.echo(json.dumps(facts, indent=2) if as_json else text)


def _read(
    data: Path, names: Texts, step_s: float, time_zone: str, costs: "list[StepCost]"
) -> "Rows":
    from wearcast.signals.cleaning import load_rows  # noqa: PLC0415
    from wearcast.training.resources import measure  # noqa: PLC0415

    with measure("read", costs):
        return load_rows(data, names, step_s=step_s, time_zone=time_zone).rows


def _judge(
    rows: "Rows", targets: Texts, kinds: Texts, variant: str, *,
    costs: "list[StepCost]", chosen: dict[str, Any],
) -> "Evaluation":  # fmt: skip
    from wearcast.training.forecast.config import Calendar  # noqa: PLC0415
    from wearcast.training.forecast.evaluate import evaluate_forecast  # noqa: PLC0415
    from wearcast.training.forecast.train import ForecastSettings  # noqa: PLC0415

    window = chosen["window"]
    settings = ForecastSettings(
        window=window if isinstance(window, int) else max(round(window / chosen["step_s"]), 1),
        horizons_s=tuple(sorted(chosen["horizons_s"])),
        mean_s=chosen["mean_s"],
        every_s=chosen["every_s"],
        calendar=cast("Calendar | None", chosen["calendar"]),
        split=chosen["split"],
        epochs=chosen["epochs"],
    )
    variants = {"both": (False, True), "direct": (False,), "recursive": (True,)}[variant]
    with open_progress("trainings", len(kinds) * len(variants)) as advance:
        evaluation = evaluate_forecast(
            rows, kinds, targets=targets, variants=variants, units=chosen["units"],
            settings=settings, time_zone=chosen["time_zone"], seed=chosen["seed"],
            on_trained=advance,
        )  # fmt: skip
    evaluation.costs[:0] = costs
    return evaluation


def _write(evaluation: "Evaluation", out: Path | None) -> tuple[dict[str, Any], list[str]]:
    from wearcast.training.forecast.plot import plot_forecast  # noqa: PLC0415
    from wearcast.training.forecast.report import (  # noqa: PLC0415
        report_forecast,
        summarize_forecast,
        write_losses,
        write_residuals,
    )
    from wearcast.training.resources import measure  # noqa: PLC0415

    if out is not None:
        with measure("write", evaluation.costs):
            write_residuals(out / "residuals.csv", evaluation)
            write_losses(out / "loss.csv", evaluation)
            plotted = [
                plot_forecast(out / f"{name}.png", evaluation, name) for name in evaluation.targets
            ]
        if not all(plotted):
            click.echo("no plots: pip install 'wearcast[plot]'", err=True)
    return summarize_forecast(evaluation), report_forecast(evaluation)


def _judge_days(
    rows: "Rows", targets: Texts, kind: str, *, seed: int, out: Path | None, costs: "list[StepCost]"
) -> tuple[dict[str, Any], list[str]]:
    from wearcast.training.forecast.daily import (  # noqa: PLC0415
        forecast_days,
        report_days,
        summarize_days,
        write_daily,
    )
    from wearcast.training.resources import measure  # noqa: PLC0415

    days = {}
    for target in targets:
        with measure(f"train and answer {target}", costs):
            days[target] = forecast_days(rows, target, kind, seed=seed)
        if out is not None:
            write_daily(out / f"{target}.daily.csv", days[target])
    return summarize_days(days), [*report_days(days), *map(str, costs)]


def _judge_ett(
    directory: Path, kinds: Texts, seed: int, costs: "list[StepCost]"
) -> tuple[dict[str, Any], list[str]]:
    from dataclasses import asdict  # noqa: PLC0415

    from wearcast.training.forecast.ett import (  # noqa: PLC0415
        HORIZONS,
        evaluate_all,
        report_ett,
    )
    from wearcast.training.resources import measure  # noqa: PLC0415

    with measure("all", costs), open_progress("ETT", 2 * len(HORIZONS) * len(kinds)) as advance:
        results = evaluate_all(directory, kinds, seed=seed, on_done=advance)
    return {"results": [asdict(item) for item in results]}, report_ett(results, costs)

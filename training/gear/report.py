"""The tables that `wearcast evaluate gear` prints, in Markdown."""

from typing import Any

from wearcast.training.forecast.report import make_table
from wearcast.training.gear.examples import WINDOW
from wearcast.training.gear.tasks import ClassResult, Errors, GearResults

# As `wearcast.signals.vibration.gear_csv` assumes: no file tells them.
_UNITS = {"speed": "rev/s", "load": "%"}


def report_tasks(results: GearResults) -> list[str]:
    """Fault class, and regression of speed and load, by what is held out."""
    names = list(results.classes[0].ways)
    return [
        (
            f"{results.recordings} recordings, windows of {WINDOW} samples of both sensors; "
            "speed and load are no inputs. What is held out is held out in turn, and all that is "
            "tested is pooled. Majority and mean are what knowing no vibration reaches."
        ),
        "## Fault class",
        (
            "On features that a sensor's gain and offset do not change: logistic and forest on "
            "bands of spectrum and envelope spectrum, orders on multiples of the shaft's speed, "
            "which is found in the signal. Macro-F1, and in brackets the share of windows that "
            "are right:"
        ),
        make_table(
            ["held out", "values", "windows tested", *names],
            [_class_row(item, names) for item in results.classes],
        ),
        "Macro-F1 of each value that was held out:",
        make_table(["held out", "value", *names], _value_rows(results, names)),
        "F1 of each fault:",
        make_table(["held out", "way", *results.faults], _fault_rows(results, names)),
        "## Speed and load",
        (
            "Ridge and forest on bands with their level, orders by what shifts with speed. Mean "
            "absolute error, and in brackets root mean square:"
        ),
        _number_table(results),
        *(f"Left out: {what}: {reason}." for what, reason in results.left_out.items()),
    ]


def summarize_tasks(results: GearResults) -> dict[str, Any]:
    """The same as plain values."""
    return {
        "recordings": results.recordings,
        "classes": [
            {
                "held_out": item.held_out,
                "values": item.values,
                "ways": {
                    name: {
                        "windows": scores.windows,
                        "macro_f1": scores.macro_f1,
                        "accuracy": scores.accuracy,
                        "macro_auroc": scores.macro_auroc,
                        "f1": dict(zip(results.faults, scores.f1.tolist(), strict=True)),
                        "macro_f1_by_value": item.by_value[name],
                    }
                    for name, scores in item.ways.items()
                },
            }
            for item in results.classes
        ],
        "numbers": [
            {
                "target": item.target,
                "held_out": item.held_out,
                "windows": item.windows,
                "ways": {name: errors._asdict() for name, errors in item.ways.items()},
            }
            for item in results.numbers
        ],
        "left_out": results.left_out,
    }


def _class_row(item: ClassResult, names: list[str]) -> list[str]:
    scores = [item.ways[name] for name in names]
    return [
        item.held_out,
        str(len(item.values)),
        f"{scores[0].windows:,}",
        *(f"{it.macro_f1:.3f} ({it.accuracy:.3f})" for it in scores),
    ]


def _value_rows(results: GearResults, names: list[str]) -> list[list[str]]:
    return [
        [item.held_out, value, *(f"{item.by_value[name][place]:.3f}" for name in names)]
        for item in results.classes
        if len(item.values) > 1
        for place, value in enumerate(item.values)
    ]


def _fault_rows(results: GearResults, names: list[str]) -> list[list[str]]:
    return [
        [item.held_out, name, *(f"{score:.3f}" for score in item.ways[name].f1)]
        for item in results.classes
        for name in names
    ]


def _number_table(results: GearResults) -> str:
    names = list(dict.fromkeys(name for item in results.numbers for name in item.ways))
    rows = [
        [
            item.target,
            _UNITS[item.target],
            item.held_out,
            f"{item.windows:,}",
            *(_format_errors(item.ways.get(name)) for name in names),
        ]
        for item in results.numbers
    ]
    return make_table(["target", "unit", "held out", "windows tested", *names], rows)


def _format_errors(errors: Errors | None) -> str:
    return "-" if errors is None else f"{errors.mae:.3g} ({errors.rmse:.3g})"

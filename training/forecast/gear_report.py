"""The tables that `wearcast evaluate forecast` prints of a gear file, in Markdown."""

from collections.abc import Sequence
from typing import Any

from wearcast.training.forecast.gear_block import QUANTILES, SEQUENCE, TARGET
from wearcast.training.forecast.gear_evaluate import AUTOREGRESSION, GearResult
from wearcast.training.forecast.report import make_table


def report_gear(results: Sequence[GearResult]) -> list[str]:
    """What each block's model was fitted to, its errors beside those of others, its interval."""
    first = results[0].trained
    unit = first.block.units[TARGET] or "as in the file"
    low, high = QUANTILES[0], QUANTILES[-1]
    parts = [
        (
            f"{TARGET} one row ahead, from {SEQUENCE} rows of speed, load and both sensors; a "
            f"model for each block, {first.checkpoint.training['parameters']:,} parameters. Of a "
            "block's rows the first 56% are to train and the next 24% to test, the rest is not "
            "used. The training part's last 15% is for validation: the best epoch is chosen by "
            "two thirds of it, the interval is calibrated on the last. Nothing is learned from a "
            "row that is forecast here."
        ),
        _sizes(results),
        "## Errors on the test part",
        (
            "Scaled: 0 is the lowest and 1 the highest reading of the training part. Persistence: "
            f"the newest reading. {AUTOREGRESSION}: a linear map of the {SEQUENCE} newest readings "
            f"of {TARGET}, by least squares. Raw errors: {unit}."
        ),
        _errors(results),
        f"Interval from {low:g} to {high:g}: share of the test rows inside, and its width:",
        make_table(
            ["block", "inside", "width, raw", "width, scaled"],
            [
                [
                    item.trained.block.name,
                    f"{item.coverage:.3f}",
                    f"{item.width:.4g}",
                    f"{item.width / item.spread:.4f}",
                ]
                for item in results
            ],
        ),
    ]
    if results[-1].trained.interrupted:
        parts.append("Stopped early: the last block has its best weights so far, others none.")
    return parts


def report_block(result: GearResult) -> str:
    """Lines about one block, for people."""
    trained = result.trained
    summary = trained.checkpoint.training
    scaled = ", ".join(f"{name} {value:.6f}" for name, value in summary["first_row_scaled"].items())
    coverage = f"{result.coverage:.1%} of the test rows"
    return "\n\n".join([
        (
            f"{trained.block.name}: {summary['training_windows']:,} windows to train, "
            f"{summary['test_windows']:,} to test; {summary['parameters']:,} parameters; "
            f"epoch {summary['best_epoch']} of {summary['epochs']} kept"
        ),
        f"first row, scaled: {scaled}",
        _errors([result]),
        f"interval from {QUANTILES[0]:g} to {QUANTILES[-1]:g}: {coverage} are inside",
    ])  # fmt: skip


def summarize_gear(results: Sequence[GearResult]) -> list[dict[str, Any]]:
    """The same as plain values, a dictionary a block."""
    return [
        {
            "training": item.trained.checkpoint.training,
            "scaled": {name: _scale(item, name) for name in item.scores},
            "raw": {name: vars(score) for name, score in item.scores.items()},
            "spread": item.spread,
            "coverage": item.coverage,
            "width": item.width,
            "seconds": item.seconds,
        }
        for item in results
    ]


def _scale(item: GearResult, way: str) -> dict[str, float]:
    """Mean squared, root mean squared and mean absolute error, scaled."""
    score = item.scores[way]
    rmse = score.rmse / item.spread
    return {"mse": rmse**2, "rmse": rmse, "mae": score.mae / item.spread}


def _sizes(results: Sequence[GearResult]) -> str:
    rows = []
    for item in results:
        block, summary = item.trained.block, item.trained.checkpoint.training
        rows.append(
            [
                block.name, f"{block.speed:g}", f"{block.load:g}",
                f"{summary['training_windows']:,}", f"{summary['test_windows']:,}",
                f"{summary['best_epoch']} of {summary['epochs']}",
                f"{summary['training_loss']:.6f}", f"{summary['validation_loss']:.6f}",
                f"{item.seconds:.0f}",
            ]
        )  # fmt: skip
    header = [
        "block", "speed", "load", "windows to train", "to test", "epoch kept",
        "training loss, scaled MSE", "validation loss", "s",
    ]  # fmt: skip
    return make_table(header, rows)


def _errors(results: Sequence[GearResult]) -> str:
    rows = []
    for item in results:
        for name, score in item.scores.items():
            scaled = _scale(item, name)
            against = score.rmse / item.scores["persistence"].rmse
            rows.append(
                [
                    item.trained.block.name, name, f"{scaled['mse']:.6f}", f"{scaled['rmse']:.5f}",
                    f"{scaled['mae']:.5f}", f"{score.rmse**2:.4g}", f"{score.rmse:.4g}",
                    f"{score.mae:.4g}", f"{against:.3f}",
                ]
            )  # fmt: skip
    header = [
        "block", "way", "MSE, scaled", "RMSE, scaled", "MAE, scaled", "MSE, raw", "RMSE, raw",
        "MAE, raw", "RMSE over persistence's",
    ]  # fmt: skip
    return make_table(header, rows)

"""Tables and pictures of figures that are known."""

import json
import math
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from wearcast.training.fault.metrics import Scores, score_faults
from wearcast.training.fault.plot import plot_confusion, plot_reliability
from wearcast.training.fault.report import (
    report_comparison,
    report_leaky,
    report_scores,
    summarize_scores,
    tabulate_confusion,
    tabulate_faults,
)

FAULTS = ("normal", "ball", "inner race")


@pytest.fixture
def scores() -> Scores:
    """Four windows without a ball's fault: two right, one taken for a ball's, one unknown."""
    return score_faults(
        [0, 0, 0, 2],
        [[0.9, 0.1, 0.0], [0.6, 0.4, 0.0], [0.2, 0.8, 0.0], [0.6, 0.1, 0.3]],
        FAULTS,
        unknown=[False, False, False, True],
    )


def read_table(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]


def test_figures_by_fault(scores: Scores) -> None:
    assert read_table(tabulate_faults(scores)) == [
        ["fault", "precision", "recall", "F1", "support", "unknown"],
        ["---"] * 6,
        ["normal", "0.667", "0.667", "0.667", "3", "0.000"],
        ["ball", "0.000", "-", "0.000", "0", "-"],
        ["inner race", "-", "0.000", "0.000", "1", "1.000"],
    ]


def test_who_was_taken_for_whom(scores: Scores) -> None:
    assert read_table(tabulate_confusion(scores)) == [
        ["there", *FAULTS],
        ["---"] * 4,
        ["normal", "2 (0.67)", "1 (0.33)", "0"],
        ["ball", "0", "0", "0"],
        ["inner race", "1 (1.00)", "0", "0"],
    ]


def test_models_stand_beside_each_other(scores: Scores) -> None:
    sure = score_faults([0, 2], np.eye(3)[[0, 2]], FAULTS)
    title, _, table = report_comparison("Unit B", "model", {"dnn": scores, "spectral": sure})
    header, _, dnn, spectral = read_table(table)
    assert title == "## Unit B"
    assert dnn == [
        "dnn", "4", "0.500", "0.333", f"{scores.macro_auroc:.3f}",
        f"{scores.calibration_error:.3f}", f"{scores.brier:.3f}", f"{scores.nll:.3f}",
        "0.250", f"{scores.missed_macro_f1:.3f}",
    ]  # fmt: skip
    best = ["1.000", "1.000", "1.000", "0.000", "0.000", "0.000", "0.000", "1.000"]
    assert spectral == ["spectral", "2", *best]
    assert header[:4] == ["model", "windows", "accuracy", "macro-F1"]


def test_a_report_holds_both_tables_of_its_model(scores: Scores) -> None:
    parts = report_scores("dnn, tested on unit B", scores)
    assert parts[0] == "### dnn, tested on unit B"
    assert tabulate_faults(scores) in parts
    assert tabulate_confusion(scores) in parts


def test_random_windows_are_marked_leaky(scores: Scores) -> None:
    title, _ = report_leaky({"forest": scores})
    assert "leaky: windows of one recording on both sides; means nothing" in title


def test_plain_values_can_be_written_as_json(scores: Scores) -> None:
    summary = json.loads(json.dumps(summarize_scores(scores), allow_nan=False))
    assert summary["confusion"] == [[2, 1, 0], [0, 0, 0], [1, 0, 0]]
    assert summary["faults"]["ball"]["recall"] is None
    assert summary["faults"]["normal"]["recall"] == pytest.approx(2 / 3)
    assert summary["unknown_share"] == 0.25
    alone = score_faults([1], [[0.0, 1.0, 0.0]], FAULTS)
    assert math.isnan(alone.macro_auroc)
    assert summarize_scores(alone)["macro_auroc"] is None


def read_picture(
    path: Path, draw: Callable[[Path, Scores, str], bool], scores: Scores
) -> np.ndarray:
    assert draw(path, scores, "dnn")
    return imread(path)[:, :, :3]


def share_of_blue(picture: np.ndarray) -> float:
    red, green, blue = picture[:, : picture.shape[1] * 3 // 4].transpose(2, 0, 1)
    return float(np.mean((blue > red + 0.3) & (green < 0.5)))


def test_only_what_is_answered_often_is_dark(tmp_path: Path) -> None:
    labels = np.tile(np.arange(3), 30)
    right = score_faults(labels, np.eye(3)[labels], FAULTS)
    spread = score_faults(labels, np.eye(3)[np.repeat(np.arange(3), 30)], FAULTS)
    dark = share_of_blue(read_picture(tmp_path / "right.png", plot_confusion, right))
    light = share_of_blue(read_picture(tmp_path / "spread.png", plot_confusion, spread))
    # Three of nine cells, which fill a good part of the picture; text and frame are not blue.
    assert dark > 0.1
    assert light < 0.001


def test_reliability_is_drawn_where_there_are_answers(tmp_path: Path) -> None:
    def blue(probability: float) -> float:
        rows = [[probability, 1 - probability, 0.0]] * 10
        scores = score_faults([0] * 9 + [1], rows, FAULTS)
        picture = read_picture(tmp_path / f"{probability}.png", plot_reliability, scores)
        columns = np.flatnonzero(
            ((picture[..., 2] > picture[..., 0] + 0.3) & (picture[..., 1] > 0.5)).sum(axis=0) > 90
        )
        return float(columns.mean() / picture.shape[1])

    assert blue(0.6) < blue(0.8) < blue(0.95)


@pytest.mark.parametrize("draw", [plot_confusion, plot_reliability])
def test_without_matplotlib_nothing_is_drawn(
    draw: Callable[[Path, Scores, str], bool],
    scores: Scores,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert not draw(tmp_path / "picture.png", scores, "dnn")
    assert not list(tmp_path.iterdir())

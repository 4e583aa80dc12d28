"""What is said of a plant whose faults are known."""

from pathlib import Path

import numpy as np
import pytest
from plant_rows import MINUTE_US, START_US, make_rows

from wearcast.signals.errors import InputError
from wearcast.signals.simulation.plant_faults import Label
from wearcast.training.checkpoint import Checkpoint
from wearcast.training.outlier.plant import HELD_ROWS, KindResult, judge_plant, read_labels
from wearcast.training.outlier.report import report_plant, summarize_plant

DAY = 1440


def label(kind: str, channel: str, first: int, end: int) -> Label:
    return Label(kind, channel, START_US + first * MINUTE_US, START_US + end * MINUTE_US)


def find(kinds: list[KindResult], kind: str, detector: str) -> KindResult:
    (found,) = [item for item in kinds if (item.kind, item.detector) == (kind, detector)]
    return found


def test_faults_are_looked_for_in_their_own_channel_from_the_first_test_row_on(
    checkpoint: Checkpoint,
) -> None:
    rows = make_rows(4, seed=6)
    stuck, leak = 2 * DAY + 600, 3 * DAY + 600
    rows.values[stuck : stuck + 40, 0] = rows.values[stuck, 0]
    rows.values[leak : leak + 60, 0] += 30
    labels = [
        label("gap", "pressure", 300, 305),  # before the test part
        label("stuck", "flow_rate", stuck, stuck + 40),
        label("leak", "", leak, leak + 60),
    ]
    result = judge_plant(checkpoint, rows, labels, DAY)
    assert {item.kind for item in result.kinds} == {"stuck", "leak"}
    needed = checkpoint.training["limits"]["flow_rate"]["stuck_rows"]
    said = find(result.kinds, "stuck", "system")
    assert (said.events, said.severe, said.held) == (1, 1, 1)
    assert said.delay_min == needed - 1 + HELD_ROWS - 1
    assert said.share == pytest.approx((40 - needed + 1) / 40)
    said = find(result.kinds, "leak", "actual")
    assert (said.events, said.severe, said.held, said.share) == (1, 1, 1, 1.0)
    assert said.delay_min == HELD_ROWS - 1
    # Three days without the labels and what follows them for as long as a window.
    assert result.normal_days == pytest.approx((3 * DAY - 160 - 180) / DAY)
    text = "\n".join(report_plant(result))
    assert f"| stuck | system | 1 of 1 | 1 of 1 | {needed + HELD_ROWS - 2} |" in text
    facts = summarize_plant(result)
    assert len(facts["points"]) == 9
    assert facts["points"][7]["shares"] is None  # a pressure has no least flow at night


def test_an_alarm_stands_for_ten_rows(checkpoint: Checkpoint) -> None:
    """Flow is far too high for 9 rows, and then for 10: the system detector says nothing of it."""
    rows = make_rows(2, seed=6)
    quiet = judge_plant(checkpoint, rows, [], 300)
    rows.values[1000:1009, 0] += 30
    rows.values[1200:1210, 0] += 30
    alarms = judge_plant(checkpoint, rows, [], 300)
    days = (2 * DAY - 300) / DAY
    gained = alarms.points[1].alarms_per_day - quiet.points[1].alarms_per_day
    assert gained == pytest.approx(1 / days)


def test_labels_are_read_by_the_clock_of_the_plant(tmp_path: Path) -> None:
    path = tmp_path / "plant.labels.csv"
    path.write_text(
        "start,end,kind,channel\n"
        "2024-01-01 09:00:00,2024-01-01 10:00:00,leak,\n"
        "2024-01-01T00:00:00Z,2024-01-01T00:10:00Z,stuck,pressure\n"
    )
    assert read_labels(path, "Asia/Seoul") == [
        label("leak", "", 0, 60),
        label("stuck", "pressure", 0, 10),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected start,end,kind,channel, got nothing"),
        ("start,end\n", "expected start,end,kind,channel, got start,end"),
        ("start,end,kind,channel\nx,y,leak,\n", "line 2: expected start,end,kind,channel"),
        ("start,end,kind,channel\n2024-01-01,2024-01-02,leak\n", "line 2: expected start"),
    ],
)
def test_labels_in_another_form_are_named(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "plant.labels.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_labels(path, "UTC")


def test_a_record_without_alarms_has_none(checkpoint: Checkpoint) -> None:
    rows = make_rows(2, seed=6)
    rows.values[:] = np.nan
    result = judge_plant(checkpoint, rows, [], 300)
    assert [item.alarms_per_day > 0 for item in result.points] == [
        item.point.detector == "system" for item in result.points
    ]

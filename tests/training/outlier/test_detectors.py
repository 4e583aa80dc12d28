"""Each detector notices the fault that it is for, and says so where it does not apply."""

import numpy as np
import pytest
from plant_rows import make_rows

from wearcast.signals.rows import Rows
from wearcast.training.checkpoint import Checkpoint
from wearcast.training.outlier.config import CAUSES
from wearcast.training.outlier.score import Scores, score_rows
from wearcast.training.outlier.train import OutlierSettings, train_outlier

# A Wednesday at noon, and one at 2:04 at night, minutes from the start of a fresh week.
NOON = 2 * 1440 + 12 * 60
NIGHT = 2 * 1440 + 2 * 60 + 4
DETECTORS = ["system", "actual", "predicted", "night"]


@pytest.fixture
def week() -> Rows:
    """A week that nothing was fitted to and in which all is well, for a test to spoil."""
    return make_rows(7, seed=6)


def at(scores: Scores, detector: str, channel: str, row: int) -> tuple[int, float, float, str]:
    """(stage, percentile, value, cause) of a point."""
    (place,) = [
        number
        for number, point in enumerate(scores.part.points)
        if (point.detector, point.channel) == (detector, channel)
    ]
    cause = int(scores.cause[row, place])
    return (
        int(scores.stage[row, place]),
        float(scores.percentile[row, place]),
        float(scores.value[row, place]),
        CAUSES[cause - 1] if cause else "",
    )


def test_points_are_channel_by_channel_and_then_all_together(checkpoint: Checkpoint) -> None:
    points = [(item.detector, item.channel, item.unit) for item in checkpoint.outlier.points]
    assert points == [
        *((detector, "flow_rate", "m3/h") for detector in DETECTORS),
        *((detector, "pressure", "bar") for detector in DETECTORS),
        ("multivariate", "", "sd"),
    ]


def test_system_notices_a_missing_reading(checkpoint: Checkpoint, week: Rows) -> None:
    week.values[NOON, 0] = np.nan
    scores = score_rows(checkpoint, week)
    assert at(scores, "system", "flow_rate", NOON) == (4, 100.0, 0.0, "MISSING")
    assert at(scores, "system", "pressure", NOON)[0] == 0
    assert at(scores, "system", "flow_rate", NOON + 1)[0] == 0
    assert at(scores, "actual", "flow_rate", NOON) == (-1, 0.0, 0.0, "")
    assert at(scores, "predicted", "flow_rate", NOON) == (-1, 0.0, 0.0, "")


def test_system_notices_a_stuck_sensor(checkpoint: Checkpoint, week: Rows) -> None:
    needed = checkpoint.training["limits"]["flow_rate"]["stuck_rows"]
    week.values[NOON : NOON + 30, 0] = week.values[NOON, 0]
    scores = score_rows(checkpoint, week)
    stages = [at(scores, "system", "flow_rate", NOON + row)[0] for row in range(31)]
    assert stages == [0] * (needed - 1) + [4] * (31 - needed) + [0]
    assert at(scores, "system", "flow_rate", NOON + 29)[3] == "STUCK"


def test_system_notices_what_no_sensor_can_read(week: Rows) -> None:
    settings = OutlierSettings(ranges={"pressure": (0.0, 10.0)})
    checkpoint = train_outlier(make_rows(28), units={}, settings=settings)
    week.values[NOON, 1] = 10.5
    week.values[NOON + 30, 1] = 10.0
    scores = score_rows(checkpoint, week)
    stage, percentile, value, cause = at(scores, "system", "pressure", NOON)
    assert (stage, percentile, value, cause) == (4, 100.0, 10.5, "RANGE")
    assert at(scores, "system", "pressure", NOON + 30)[3] == "JUMP"


def test_system_notices_a_jump_also_behind_a_short_gap(checkpoint: Checkpoint, week: Rows) -> None:
    limit = checkpoint.training["limits"]["flow_rate"]["jump"]
    week.values[NOON:, 0] += 1.5 * limit
    assert at(score_rows(checkpoint, week), "system", "flow_rate", NOON)[3] == "JUMP"
    week.values[NOON - 3 : NOON, 0] = np.nan
    assert at(score_rows(checkpoint, week), "system", "flow_rate", NOON)[3] == "JUMP"
    week.values[NOON - 4, 0] = np.nan
    assert at(score_rows(checkpoint, week), "system", "flow_rate", NOON)[:2] == (0, 0.0)


def test_system_lets_a_coarse_sensor_be(week: Rows) -> None:
    """Rounded to half a bar, most readings are equal to the one before."""
    training = make_rows(28)
    training.values[:, 1] = np.round(training.values[:, 1] * 4) / 4
    week.values[:, 1] = np.round(week.values[:, 1] * 4) / 4
    checkpoint = train_outlier(training, units={})
    scores = score_rows(checkpoint, week)
    assert checkpoint.training["limits"]["pressure"]["stuck_rows"] is None
    assert {at(scores, "system", "pressure", row)[0] for row in range(len(week))} == {0}


def test_actual_value_notices_more_flow_than_usual_at_this_hour(
    checkpoint: Checkpoint, week: Rows
) -> None:
    before = at(score_rows(checkpoint, week), "actual", "flow_rate", NIGHT)
    usual_at_noon = float(week.values[NOON, 0])
    week.values[NIGHT, 0] = usual_at_noon
    scores = score_rows(checkpoint, week)
    assert before[0] == 0
    assert at(scores, "actual", "flow_rate", NIGHT)[0] == 4
    assert at(scores, "actual", "flow_rate", NIGHT)[2] == pytest.approx(usual_at_noon)
    assert at(scores, "actual", "flow_rate", NOON)[0] < 4


def test_actual_value_is_one_or_two_sided(week: Rows) -> None:
    week.values[NOON, 0] = 20.0
    training = make_rows(28)
    stages = {}
    for side in ("upper", "lower", "both"):
        settings = OutlierSettings(sides={"flow_rate": side})
        scores = score_rows(train_outlier(training, units={}, settings=settings), week)
        stages[side] = at(scores, "actual", "flow_rate", NOON)[0]
    assert stages == {"upper": 0, "lower": 4, "both": 4}


def test_predicted_value_notices_a_departure_that_began_within_the_hour(
    checkpoint: Checkpoint, week: Rows
) -> None:
    """Flow runs high all night; the forecast knows, and only a further rise is news."""
    week.values[NIGHT - 200 :, 0] *= 1.15
    calm = at(score_rows(checkpoint, week), "predicted", "flow_rate", NIGHT)
    week.values[NIGHT:, 0] *= 1.4
    stage, percentile, value, _ = at(score_rows(checkpoint, week), "predicted", "flow_rate", NIGHT)
    assert (stage, percentile > 99.9) == (4, True)
    rise = week.values[NIGHT, 0] - week.values[NIGHT, 0] / 1.4
    assert value - calm[2] == pytest.approx(rise, rel=1e-3)


def test_predicted_value_needs_half_its_history(checkpoint: Checkpoint, week: Rows) -> None:
    assert at(score_rows(checkpoint, week), "predicted", "flow_rate", 60)[0] == -1
    assert at(score_rows(checkpoint, week), "predicted", "flow_rate", 60 + 29)[0] >= 0
    history = slice(NOON - 119, NOON - 59)
    week.values[history, 0] = np.nan
    assert at(score_rows(checkpoint, week), "predicted", "flow_rate", NOON)[0] == -1
    assert at(score_rows(checkpoint, week), "actual", "flow_rate", NOON)[0] >= 0


def test_night_minimum_flow_notices_a_leak_and_judges_complete_slots(
    checkpoint: Checkpoint, week: Rows
) -> None:
    first = NIGHT // 10 * 10
    before = at(score_rows(checkpoint, week), "night", "flow_rate", first + 9)
    week.values[first : first + 10, 0] += 6.0
    scores = score_rows(checkpoint, week)
    stages = [at(scores, "night", "flow_rate", first + row)[0] for row in range(30)]
    assert before[0] == 0
    assert stages[9:19] == [4] * 10
    assert max(stages[:9] + stages[19:]) < 4
    mean = week.values[first : first + 10, 0].mean()
    assert at(scores, "night", "flow_rate", first + 18)[2] == pytest.approx(mean)


def test_night_minimum_flow_applies_to_flows_at_night(checkpoint: Checkpoint, week: Rows) -> None:
    scores = score_rows(checkpoint, week)
    day = np.arange(1440) + 1440
    flow = np.array([at(scores, "night", "flow_rate", row)[0] for row in day])
    applies = np.flatnonzero(flow >= 0)
    # 42 slots of ten minutes, each from its last minute on.
    assert applies.tolist() == [*range(309), *range(22 * 60 + 9, 1440)]
    assert {at(scores, "night", "pressure", row)[0] for row in day} == {-1}


def test_night_minimum_flow_needs_half_a_slot(checkpoint: Checkpoint, week: Rows) -> None:
    first = NIGHT // 10 * 10
    week.values[first : first + 5, 0] = np.nan
    assert at(score_rows(checkpoint, week), "night", "flow_rate", first + 9)[0] >= 0
    week.values[first : first + 6, 0] = np.nan
    assert at(score_rows(checkpoint, week), "night", "flow_rate", first + 9)[0] == -1


def test_multivariate_notices_channels_that_no_longer_move_together(
    checkpoint: Checkpoint, week: Rows
) -> None:
    """Flow a little high and pressure a little high, where pressure falls as flow rises."""
    row = NOON + 9
    week.values[NOON : row + 1, 0] *= 1.04
    week.values[NOON : row + 1, 1] += 0.035
    scores = score_rows(checkpoint, week)
    assert at(scores, "multivariate", "", row)[0] == 4
    assert at(scores, "actual", "flow_rate", row)[0] < 4
    assert at(scores, "actual", "pressure", row)[0] < 4
    assert at(scores, "multivariate", "", NOON - 1)[0] < 4


def test_multivariate_needs_every_channel(checkpoint: Checkpoint, week: Rows) -> None:
    week.values[NOON - 5 : NOON + 1, 1] = np.nan
    scores = score_rows(checkpoint, week)
    assert at(scores, "multivariate", "", NOON - 1)[0] >= 0
    assert at(scores, "multivariate", "", NOON)[0] == -1


def test_nights_and_hours_are_those_of_the_plants_clock(rows: Rows, week: Rows) -> None:
    """Seoul is nine hours ahead: its night begins at 13:00 UTC."""
    checkpoint = train_outlier(rows, units={}, time_zone="Asia/Seoul")
    scores = score_rows(checkpoint, week)
    day = np.arange(1440) + 1440
    flow = np.array([at(scores, "night", "flow_rate", row)[0] for row in day])
    assert np.flatnonzero(flow >= 0).tolist() == list(range(13 * 60 + 9, 20 * 60 + 9))
    # What is usual at an hour moves with the clock: the same moments are as usual as before.
    assert 0.05 < np.mean([at(scores, "actual", "flow_rate", row)[0] > 0 for row in day]) < 0.2

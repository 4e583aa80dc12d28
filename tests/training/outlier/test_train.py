"""What is fitted, to what, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from plant_rows import make_rows

from wearcast.signals.errors import InputError
from wearcast.signals.rows import Rows
from wearcast.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from wearcast.training.outlier.ranking import stage_shares
from wearcast.training.outlier.score import score_rows
from wearcast.training.outlier.train import OutlierSettings, train_outlier


def test_normal_rows_are_at_a_stage_as_often_as_its_percentile_says(
    checkpoint: Checkpoint,
) -> None:
    """On four weeks that were not fitted to; the tail of the distance is the heaviest."""
    scores = score_rows(checkpoint, make_rows(28, seed=1))
    for place, point in enumerate(scores.part.points):
        shares = stage_shares(scores.stage[:, place])
        if point.detector == "system":
            assert shares.max() < 0.001
        elif point.detector != "night" or point.channel == "flow_rate":
            expected = np.array([0.10, 0.05, 0.02, 0.01])
            assert (shares < 2.5 * expected).all(), point
            assert (shares > expected / 2).all(), point


def test_the_same_rows_give_the_same_model(rows: Rows, checkpoint: Checkpoint) -> None:
    again = train_outlier(rows, units={"flow_rate": "m3/h", "pressure": "bar"})
    assert again.outputs == checkpoint.outputs
    for name, tensor in checkpoint.state_dict.items():
        assert torch.equal(tensor, again.state_dict[name])


def test_rows_after_the_training_part_teach_nothing(rows: Rows) -> None:
    spoilt = Rows(rows.channels, rows.start_us, rows.step_us, rows.values.copy())
    spoilt.values[20_000:] *= 3
    one, other = (train_outlier(item.between(0, 20_000), units={}) for item in (rows, spoilt))
    for name, tensor in one.state_dict.items():
        assert torch.equal(tensor, other.state_dict[name])


def test_faults_in_the_training_data_hardly_move_the_stages(rows: Rows) -> None:
    """Spikes, a stuck sensor and a gap among four weeks."""
    faulty = Rows(rows.channels, rows.start_us, rows.step_us, rows.values.copy())
    random = np.random.default_rng(0)
    faulty.values[random.integers(0, len(rows), 15), 0] = 200.0
    faulty.values[random.integers(0, len(rows), 15), 1] = 0.0
    faulty.values[5000:5100, 0] = faulty.values[5000, 0]
    faulty.values[9000:9400] = np.nan
    fresh = make_rows(7, seed=3)
    sound, other = (score_rows(train_outlier(item, units={}), fresh) for item in (rows, faulty))
    assert np.mean(sound.stage != other.stage) < 0.02
    limits = train_outlier(faulty, units={}).training["limits"]["flow_rate"]
    assert limits["stuck_rows"] < 100
    assert limits["high"] < 200


def test_a_checkpoint_survives_its_file(checkpoint: Checkpoint, tmp_path) -> None:
    save_checkpoint(tmp_path / "outlier.pth", checkpoint)
    again = load_checkpoint(tmp_path / "outlier.pth")
    fresh = make_rows(1, seed=3)
    for name in ("value", "percentile", "stage", "cause"):
        one, other = (getattr(score_rows(item, fresh), name) for item in (checkpoint, again))
        assert (one == other).all()
    assert again.outlier == checkpoint.outlier
    assert (again.kind, again.missing, again.partial) == ("outlier", True, True)
    assert [item.shape for item in again.outputs] == [(9,)] * 4
    assert again.training["rows"] == 28 * 1440
    assert again.training["to"] == "2024-01-28T23:59:00.000000Z"


@pytest.mark.parametrize(
    ("settings", "zone", "clock", "points"),
    [
        (OutlierSettings(), "Asia/Seoul", "Asia/Seoul", 9),
        (OutlierSettings(baseline="global"), "UTC", "UTC", 9),
        (OutlierSettings(baseline="global", night=None), "UTC", None, 7),
        (OutlierSettings(baseline="global", night=None), None, None, 7),
        (OutlierSettings(night=None), "UTC", "UTC", 7),
    ],
)
def test_a_clock_is_an_input_only_where_something_hangs_on_it(
    settings: OutlierSettings, zone: str | None, clock: str | None, points: int
) -> None:
    rows = make_rows(8)
    checkpoint = train_outlier(rows, units={}, time_zone=zone, settings=settings)
    assert checkpoint.time_zone == clock
    assert len(checkpoint.outlier.points) == points
    assert score_rows(checkpoint, rows.between(0, 300)).stage.shape == (300, points)


def test_one_channel_has_no_point_for_all_together() -> None:
    rows = make_rows(8)
    alone = Rows(("flow",), rows.start_us, rows.step_us, rows.values[:, :1])
    checkpoint = train_outlier(alone, units={"flow": "l/s"})
    assert [(item.detector, item.channel, item.unit) for item in checkpoint.outlier.points] == [
        (detector, "flow", "l/s") for detector in ("system", "actual", "predicted", "night")
    ]


def test_flows_are_high_when_unusual_and_other_channels_either() -> None:
    checkpoint = train_outlier(make_rows(8), units={})
    assert checkpoint.config["sides"] == ("upper", "both")
    assert checkpoint.config["flows"] == ("flow_rate",)
    settings = OutlierSettings(flows=("pressure",), sides={"flow_rate": "lower"})
    checkpoint = train_outlier(make_rows(8), units={}, settings=settings)
    assert checkpoint.config["sides"] == ("lower", "upper")


SOUND = OutlierSettings()


@pytest.mark.parametrize(
    ("settings", "zone", "message"),
    [
        (replace(SOUND, sides={"flow": "upper"}), "UTC", "side: expected some of flow_rate, pres"),
        (replace(SOUND, sides={"pressure": "up"}), "UTC", "side: expected upper or lower or both"),
        (replace(SOUND, ranges={"p": (0, 1)}), "UTC", "range: expected some of .*, got p"),
        (replace(SOUND, ranges={"pressure": (1, 1)}), "UTC", "range of pressure: expected LOW bel"),
        (replace(SOUND, ranges={"pressure": (1, np.nan)}), "UTC", "range of pressure: expected"),
        (replace(SOUND, ranges={"pressure": (90, 99)}), "UTC", "pressure: expected readings"),
        (replace(SOUND, flows=("q",)), "UTC", "flow: expected some of flow_rate, pressure, got q"),
        (replace(SOUND, night="22:05-04:50"), "UTC", "night: expected two times"),
        (replace(SOUND, baseline="month"), "UTC", "baseline: expected global or weekday or hour"),
        (replace(SOUND, history=120), "UTC", "history: expected fewer than the sequence"),
        (replace(SOUND, sequence=10, history=5), "UTC", "sequence: expected 20 or more"),
        (replace(SOUND, sequence=10_000), "UTC", "rows to fit to: expected 20000 or more"),
        (SOUND, None, "time_zone: expected one for baselines by time and for nights, got none"),
        (SOUND, "Mars", "time_zone: expected a zone of the IANA database"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(
    settings: OutlierSettings, zone: str | None, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        train_outlier(make_rows(8), units={}, time_zone=zone, settings=settings)


def test_the_unit_of_no_channel_is_named() -> None:
    with pytest.raises(InputError, match="unit: expected one of flow_rate, pressure, got flow"):
        train_outlier(make_rows(8), units={"flow": "m3/h"})


def test_a_channel_without_readings_is_named() -> None:
    rows = make_rows(8)
    rows.values[:, 1] = np.nan
    with pytest.raises(InputError, match="pressure: expected readings within the physical range"):
        train_outlier(rows, units={})

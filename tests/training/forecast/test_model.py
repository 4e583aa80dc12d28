import numpy as np
import pytest
import torch
from torch import Tensor

from wearcast.training.forecast.config import ForecastConfig
from wearcast.training.forecast.linear import Linear, LinearConfig
from wearcast.training.forecast.model import Forecaster
from wearcast.training.forecast.usual import fit_usual

WEEK_MIN = 10_080


def make_linear(*, recursive: bool = False, horizons: tuple[int, ...] = (4, 8, 12)) -> Linear:
    """Random weights, a calendar, two channels of which the second is forecast too."""
    config = LinearConfig(
        channels=2, targets=(1, 0), sequence=6, horizons=horizons, mean=3, step_min=1.0,
        calendar="day", recursive=recursive,
    )  # fmt: skip
    model = Linear(config)
    generator = torch.Generator().manual_seed(0)
    for name, tensor in model.state_dict().items():
        if name != "bounds":
            tensor.copy_(torch.rand(tensor.shape, generator=generator) * 0.2)
    model.spread += 0.5
    model.target_spread += 0.5
    model.bounds.copy_(torch.tensor([[-5.0, -5.0], [5.0, 5.0]]))
    return model.eval()


def draw(count: int, sequence: int = 6) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    blocks = torch.randn(count, sequence, 2, 1, generator=generator)
    blocks[torch.rand(blocks.shape, generator=generator) < 0.2] = torch.nan
    blocks[0] = torch.nan
    return blocks, torch.randint(0, WEEK_MIN, (count,), generator=generator).float()


@pytest.mark.parametrize("recursive", [False, True])
def test_rows_of_a_batch_do_not_know_each_other(recursive: bool) -> None:  # noqa: FBT001
    model = make_linear(recursive=recursive)
    blocks, minutes = draw(20)
    together = model(blocks, minutes)
    for row in range(20):
        alone = model(blocks[row : row + 1], minutes[row : row + 1])
        for one, all_ in zip(alone, together, strict=True):
            assert torch.allclose(one[0], all_[row], atol=1e-5)


def go_on(model: Linear, blocks: Tensor, minute: float) -> np.ndarray:
    """Medians (targets, horizons) of one window by a loop over rows; offsets not added."""
    config = model.config
    step = config.horizons[0]
    usual, spread = model.usual.numpy(), model.spread.numpy()
    low, high = model.bounds.numpy()
    window = []
    for row, reading in enumerate(blocks[..., 0].numpy()):
        at = int(minute - config.sequence + 1 + row) % 1440
        inside = (reading >= low) & (reading <= high)
        window.append(np.where(inside, (reading - usual[at]) / spread[at], np.nan))
    rows = np.array(window)
    for channel in range(config.channels):
        column = rows[:, channel]
        there = np.flatnonzero(np.isfinite(column))
        if not len(there):
            column[:] = model.typical[channel]
            continue
        for row in range(config.sequence):
            before = there[there <= row]
            column[row] = column[before[-1] if len(before) else there[0]]
    said = list(rows)
    weight = model.ridge.weight.numpy()
    while len(said) < config.sequence + config.horizons[-1]:
        flat = np.array(said[-config.sequence :]).T.ravel()
        said += list((weight @ flat).T)
    answers = np.empty((2, len(config.horizons)))
    for place, horizon in enumerate(config.horizons):
        for target, channel in enumerate(config.targets):
            readings = []
            for back in range(config.mean):
                at = int(minute + horizon - back) % 1440
                deviation = said[config.sequence - 1 + horizon - back][channel]
                readings.append(usual[at, channel] + spread[at, channel] * deviation)
            answers[target, place] = np.mean(readings)
    assert step <= config.sequence
    return answers


def test_a_recursive_forecast_is_that_of_a_loop() -> None:
    model = make_linear(recursive=True, horizons=(2, 4, 6, 12))
    model.offsets.zero_()
    blocks, minutes = draw(20)
    answers = torch.stack(model(blocks, minutes), dim=1)[..., model.config.middle]
    for row in range(20):
        expected = go_on(model, blocks[row], float(minutes[row]))
        assert np.allclose(answers[row].numpy(), expected, atol=1e-4)


class _Newest(Forecaster):
    """Says that the newest deviation stays."""

    def network(self, deviations: Tensor, minute_of_week: Tensor | None) -> Tensor:  # noqa: ARG002
        shape = (-1, -1, len(self.config.horizons))
        return deviations[:, -1, :, None].expand(shape)[..., None]


def test_the_usual_course_is_taken_off_at_its_own_minute() -> None:
    """The usual reading is the minute itself, so what is said is the minute that follows."""
    config = ForecastConfig(
        channels=1, targets=(0,), sequence=3, horizons=(1, 1440, 20_000), calendar="week"
    )
    model = _Newest(config)
    model.bounds.copy_(torch.tensor([[-1e6], [1e6]]))
    model.usual[:, 0] = torch.arange(WEEK_MIN)
    model.target_usual[:, 0] = torch.arange(WEEK_MIN)
    for minute in (0, 5, 5000, WEEK_MIN - 1):
        newest = torch.tensor([minute - 2, minute - 1, minute]) % WEEK_MIN
        (said,) = model(newest.float()[None, :, None, None], torch.tensor([float(minute)]))
        expected = [(minute + ahead) % WEEK_MIN for ahead in config.horizons]
        assert said[0, :, 1].tolist() == expected


def test_missing_readings_take_the_one_before_and_leading_ones_the_first() -> None:
    config = ForecastConfig(channels=1, targets=(0,), sequence=7, horizons=(1,))
    model = _Newest(config)
    nan = float("nan")
    blocks = torch.tensor([[nan, nan, 1.0, nan, nan, nan, 2e9]])[..., None, None]
    # The last one is outside the bounds, so it is missing too.
    assert model.prepare(blocks, None).ravel().tolist() == [1.0] * 7


def test_quantiles_rise_whatever_the_offsets() -> None:
    model = make_linear()
    model.offsets.copy_(torch.tensor([3.0, 0.0, -3.0]).expand(model.offsets.shape))
    for answer in model(*draw(5)):
        assert (answer.diff(dim=-1) >= 0).all()


def test_a_line_through_knots_is_found_again() -> None:
    minutes = np.arange(3 * 1440.0)
    peak = 720 - np.abs(minutes % 1440 - 720)
    assert np.allclose(fit_usual(peak, minutes, 1440, 30.0), peak[:1440], atol=0.1)

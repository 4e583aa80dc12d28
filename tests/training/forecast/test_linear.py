import numpy as np
import pytest
import torch

from wearcast.signals.rows import Rows
from wearcast.training.forecast.config import Fitting
from wearcast.training.forecast.linear import PENALTIES, Linear, LinearConfig, choose_pool
from wearcast.training.forecast.moments import MomentSums
from wearcast.training.forecast.windows import Lessons, Windows, list_windows, make_record
from wearcast.training.loss import MemberEpoch


def make_lessons(values: np.ndarray, config: LinearConfig) -> Lessons:
    rows = Rows(tuple("ab"[: values.shape[1]]), 0, 60_000_000, values)
    record = make_record(rows, values, mean=config.mean, time_zone="UTC", every_s=None)
    size = len(values)
    learn = list_windows(record, config, range(size), due=False)
    fit = list_windows(record, config, range(size * 4 // 5), due=False)
    choose = list_windows(record, config, range(size * 4 // 5, size), due=False)
    return Lessons(fit, choose, learn)


@pytest.mark.parametrize("inputs", ["own", "all", "shared"])
def test_a_law_without_noise_is_found(inputs: str) -> None:
    """A wave of two channels goes on as a linear map of its last rows."""
    places = np.arange(600.0)
    values = np.stack([np.sin(places / 5), np.cos(places / 5)], axis=1)
    config = LinearConfig(channels=2, targets=(0, 1), sequence=8, horizons=(1, 9), inputs=inputs)
    model, history = Linear(config), list[MemberEpoch]()
    lessons = make_lessons(values, config)
    assert not model.fit(lessons, Fitting(), seed=0, on_epoch=history.append)
    windows = lessons.choose
    said = model.network(model.prepare(windows.blocks(windows.ends), None), None)[..., 0]
    followed = windows.targets(windows.ends)
    present = torch.isfinite(followed)
    assert float((said - followed)[present].abs().max()) < 0.1
    members = {item.member for item in history}
    assert len(history) == len(PENALTIES) * len(members)


def solve(windows: Windows, penalty: float) -> np.ndarray:
    blocks = windows.blocks(windows.ends)[..., 0, 0].double().numpy()
    followed = windows.targets(windows.ends)[:, 0].double().numpy()
    inputs = blocks.T @ blocks / len(blocks)
    return np.linalg.solve(
        inputs + penalty * np.eye(blocks.shape[1]), blocks.T @ followed / len(blocks)
    )


def test_weights_are_those_of_ridge_regression_with_some_penalty() -> None:
    """On noise the anchor is what is usual, 0, and so the textbook's formula holds."""
    values = np.random.default_rng(3).standard_normal((2000, 1))
    config = LinearConfig(channels=1, targets=(0,), sequence=4, horizons=(1,))
    model = Linear(config)
    lessons = make_lessons(values, config)
    model.fit(lessons, Fitting(), seed=0, on_epoch=lambda _: None)
    got = model.ridge.weight[0].T.numpy()
    worst = [np.abs(solve(lessons.learn, penalty) - got).max() for penalty in PENALTIES]
    assert min(worst) < 1e-6


def test_moments_tell_the_loss_of_any_weights() -> None:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(1, 50, 3, generator=generator)
    outputs = torch.randn(1, 50, 2, generator=generator)
    sums = MomentSums(1, 1, 3, 2)
    sums.add(inputs[:, :20], outputs[:, :20])
    sums.add(inputs[:, 20:], outputs[:, 20:])
    (moments,) = sums.means()
    weight = torch.randn(3, 2, generator=generator, dtype=torch.float64)
    expected = ((outputs[0] - inputs[0].double() @ weight) ** 2).mean()
    assert moments.loss(weight) == pytest.approx(float(expected))


def test_a_pool_divides_the_window() -> None:
    assert choose_pool(1440, 96) == 15
    with pytest.raises(ValueError, match="pool: expected a divisor of 60, got 7"):
        LinearConfig(channels=1, targets=(0,), sequence=60, horizons=(1,), pool=7)

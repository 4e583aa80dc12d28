"""The bundled model of faults, on what it has to hold against: gains, offsets, and no machine."""

import numpy as np
import pytest
from cwru_data import find_cwru
from numpy.typing import NDArray

from wearcast.serving.models import open_model
from wearcast.serving.session import Session
from wearcast.signals.vibration.find import find_recordings

Array = NDArray[np.float32]


@pytest.fixture(scope="module")
def session() -> Session:
    return open_model(None, "bearing-fault")


def cut(session: Session, values: NDArray[np.floating]) -> Array:
    """Windows float32 (n, sequence, channels, window) of values (channels, samples)."""
    contract = session.contract
    size = contract.sequence * contract.window
    count = values.shape[1] // size
    parts = values[:, : count * size].reshape(len(values), count, contract.sequence, -1)
    return np.ascontiguousarray(parts.transpose(1, 2, 0, 3), dtype=np.float32)


@pytest.fixture(scope="module")
def real(session: Session) -> Array:
    """A window or two of each real recording."""
    return np.concatenate(
        [cut(session, it.values[:, :20_000]) for it in find_recordings(find_cwru())]
    )


def test_gain_and_offset_of_real_recordings_change_nothing(session: Session, real: Array) -> None:
    expected = session.run(real)
    for gains, offset in (((0.5, 2.0), 0.3), ((2.0, 2.0), -1.0), ((0.5, 0.5), 5.0)):
        changed = real * np.array(gains, np.float32)[:, None] + np.float32(offset)
        got = session.run(changed)
        np.testing.assert_allclose(got["probability"], expected["probability"], atol=2e-3)
        np.testing.assert_allclose(got["novelty"], expected["novelty"], atol=2e-3)


def test_real_recordings_are_known(session: Session, real: Array) -> None:
    assert (session.run(real)["novelty"] < 1).mean() > 0.99


@pytest.mark.parametrize("level_g", [0.01, 0.2, 30.0])
def test_white_noise_is_unknown(session: Session, level_g: float) -> None:
    noise = level_g * np.random.default_rng(3).standard_normal((2, 8 * 8192))
    assert (session.run(cut(session, noise))["novelty"] >= 1).all()


@pytest.mark.parametrize("level_g", [0.0, 0.01, -4.0])
def test_a_constant_is_unknown(session: Session, level_g: float) -> None:
    constant = np.full((2, 8192), level_g)
    outputs = session.run(cut(session, constant))
    assert (outputs["novelty"] >= 1).all()
    np.testing.assert_allclose(outputs["probability"].sum(axis=1), 1, atol=1e-5)


def test_one_dead_sensor_is_unknown(session: Session, real: Array) -> None:
    dead = real.copy()
    dead[:, :, 1] = 0.1
    assert (session.run(dead)["novelty"] >= 1).all()

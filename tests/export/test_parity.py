from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from running import running_server

from wearcast.clients import Client
from wearcast.export.parity import (
    check_parity,
    make_cases,
    run_frozen,
    run_onnx,
    run_torch,
    run_torchscript,
)
from wearcast.signals.contract import CONTRACT_KEY, Contract
from wearcast.signals.errors import ArtefactError
from wearcast.signals.series import Block
from wearcast.training.checkpoint import load_checkpoint

TOLERANCE = 1e-4
Array = NDArray[np.float32]


def read_contract(model_folder: Path) -> Contract:
    graph = onnx.load(next(model_folder.glob("*.onnx")))
    return Contract.from_json({prop.key: prop.value for prop in graph.metadata_props}[CONTRACT_KEY])


@pytest.fixture(scope="session")
def contract(model_folder: Path) -> Contract:
    return read_contract(model_folder)


@pytest.fixture(scope="session")
def cases(contract: Contract) -> Array:
    return make_cases((contract.sequence, len(contract.channels), contract.window), seed=99)


@pytest.fixture(scope="session")
def expected(model_folder: Path, cases: Array) -> Array:
    """What torch answers to the cases, from the checkpoint in the folder."""
    model = load_checkpoint(model_folder / "weights.pth").build_model()
    return run_frozen(run_torch(model), 1, cases)


def test_the_cases_tell_models_apart(expected: Array) -> None:
    assert np.ptp(expected) > 100 * TOLERANCE


def test_torchscript_and_onnx_answer_as_torch(
    model_folder: Path, contract: Contract, cases: Array, expected: Array
) -> None:
    for batch in contract.batch_sizes:
        for runtime in (
            run_torchscript(model_folder / f"batch-{batch}.torchscript"),
            run_onnx(model_folder / f"batch-{batch}.onnx"),
        ):
            got = run_frozen(runtime, batch, cases)
            np.testing.assert_allclose(got, expected, rtol=0, atol=TOLERANCE)


def test_a_server_answers_as_torch(model_folder: Path, contract: Contract, cases: Array) -> None:
    blocks = cases.reshape(-1, *cases.shape[2:])
    rows = np.arange(len(blocks) - contract.sequence + 1)
    windows = blocks[rows[:, None] + np.arange(contract.sequence)]
    model = load_checkpoint(model_folder / "weights.pth").build_model()
    expected = run_frozen(run_torch(model), 1, windows)
    with running_server(model_folder.parents[1]) as server, Client(server.address) as client:
        recording = (
            Block(number, round(number * contract.hop_s * 1e6), contract.sample_rate_hz, values)
            for number, values in enumerate(blocks)
        )
        estimates = list(client.predict(recording, model=contract.name, version=contract.version))
    assert [it.sequence for it in estimates] == list(rows + contract.sequence - 1)
    got = [it.remaining_life.life_fraction for it in estimates]
    np.testing.assert_allclose(got, expected, rtol=0, atol=TOLERANCE)


def test_neighbours_and_padding_change_nothing(
    model_folder: Path, contract: Contract, cases: Array, expected: Array
) -> None:
    batch = contract.batch_sizes[-1]
    runtime = run_onnx(model_folder / f"batch-{batch}.onnx")
    row, answer = cases[1], expected[1]
    for neighbour in (np.zeros_like(row), cases[2], np.full_like(row, np.nan)):
        for place in {0, batch // 2, batch - 1}:
            blocks = np.repeat(neighbour[None], batch, axis=0)
            blocks[place] = row
            assert abs(runtime(blocks)[place] - answer) < 1e-6


@pytest.mark.parametrize(
    ("got", "message"),
    [
        ([0.5, 0.5], r"batch-1: shape of the output: expected \(3,\), got \(2,\)"),
        ([0.5, 0.5, 0.5002], r"batch-1: output of case 2: expected 0.5 within 0.0001, got 0.5"),
        ([0.5, np.nan, 0.5], "batch-1: output of case 1: expected 0.5 within 0.0001, got nan"),
    ],
)
def test_a_difference_names_stage_expected_and_got(got: list[float], message: str) -> None:
    expected = np.full(3, 0.5, np.float32)
    check_parity("batch-1", expected, expected + np.float32(0.9e-4), TOLERANCE)
    with pytest.raises(ArtefactError, match=message):
        check_parity("batch-1", expected, np.array(got, np.float32), TOLERANCE)


def test_a_frozen_batch_is_filled_with_other_cases_and_answers_each_once() -> None:
    cases = np.arange(5, dtype=np.float32)
    seen = []

    def double(blocks: Array) -> Array:
        seen.append(blocks.tolist())
        return blocks * 2

    assert run_frozen(double, 3, cases).tolist() == [0, 2, 4, 6, 8]
    assert seen == [[0, 1, 2], [3, 4, 0]]

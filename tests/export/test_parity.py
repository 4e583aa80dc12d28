from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from running import running_server

from wearcast.clients import Client
from wearcast.export.parity import (
    Arrays,
    check_parity,
    make_cases,
    run_frozen,
    run_onnx,
    run_torch,
    run_torchscript,
)
from wearcast.signals.clock import minutes_of_week
from wearcast.signals.contract import CONTRACT_KEY, Contract
from wearcast.signals.errors import ArtefactError
from wearcast.signals.estimate import Estimate, FaultDiagnosis, Forecast, RemainingLife
from wearcast.signals.golden import Golden, golden_input
from wearcast.signals.series import Block
from wearcast.training.checkpoint import load_checkpoint

TOLERANCE = 1e-4
Array = NDArray[np.float32]


def read_contract(model_folder: Path) -> Contract:
    graph = onnx.load(next(model_folder.glob("batch-*.onnx")))
    return Contract.from_json({prop.key: prop.value for prop in graph.metadata_props}[CONTRACT_KEY])


@pytest.fixture(scope="session")
def contract(model_folder: Path) -> Contract:
    return read_contract(model_folder)


@pytest.fixture(scope="session")
def golden(model_folder: Path) -> Golden:
    return Golden.from_json((model_folder / "golden.json").read_text())


@pytest.fixture(scope="session")
def cases(contract: Contract, golden: Golden) -> Arrays:
    hard = make_cases(contract, golden, seed=99)
    windows, minutes = golden_input(contract, golden)
    usual = (windows,) if minutes is None else (windows, minutes)
    return tuple(map(np.concatenate, zip(hard, usual, strict=True)))


@pytest.fixture(scope="session")
def expected(model_folder: Path, cases: Arrays) -> Arrays:
    """What torch answers to the cases, from the checkpoint in the folder."""
    model = load_checkpoint(model_folder / "weights.pth").build_model()
    return run_frozen(run_torch(model), 1, cases)


def assert_same(contract: Contract, expected: Arrays, got: Arrays) -> None:
    for output, one, other in zip(contract.outputs, expected, got, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-5, atol=output.tolerance)


def test_the_cases_tell_models_apart(contract: Contract, expected: Arrays) -> None:
    for output, answers in zip(contract.outputs, expected, strict=True):
        assert output.name == "cause" or np.ptp(answers) > 100 * output.tolerance or (
            output.name == "stage" and len(np.unique(answers)) > 2
        )  # fmt: skip


def test_torchscript_and_onnx_answer_as_torch(
    model_folder: Path, contract: Contract, cases: Arrays, expected: Arrays
) -> None:
    for batch in contract.batch_sizes:
        for runtime in (
            run_torchscript(model_folder / f"batch-{batch}.torchscript"),
            run_onnx(model_folder / f"batch-{batch}.onnx"),
        ):
            assert_same(contract, expected, run_frozen(runtime, batch, cases))


def test_encoder_and_head_answer_as_the_whole(
    model_folder: Path, contract: Contract, cases: Arrays
) -> None:
    for batch in contract.batch_sizes:
        paths = [model_folder / f"{half}-{batch}.onnx" for half in ("encoder", "head")]
        if not has_halves(contract):
            assert not any(path.exists() for path in paths)
            continue
        encoder, head = map(run_onnx, paths)
        whole = run_onnx(model_folder / f"batch-{batch}.onnx")
        rows = len(cases[0])
        snapshots = cases[0].reshape(-1, *cases[0].shape[2:])
        (features,) = run_frozen(encoder, batch, (snapshots,))
        got = run_frozen(head, batch, (features.reshape(rows, contract.sequence, -1),))
        for one, other in zip(run_frozen(whole, batch, cases), got, strict=True):
            np.testing.assert_allclose(other, one, rtol=1e-5, atol=1e-5)


def has_halves(contract: Contract) -> bool:
    """Whether the architecture looks at each block alone first."""
    return contract.training["architecture"] in {"cnn-lstm", "compact"}


def read_outputs(estimate: Estimate, contract: Contract) -> list[Array]:
    """The graph's outputs that an answer was made of, NaN where it does not say."""
    answer = estimate.answer
    if isinstance(answer, RemainingLife):
        return [np.array(answer.life_fraction)]
    if isinstance(answer, Forecast):
        return [
            np.array(
                [[value for _, value in it.values] for it in answer.points if it.channel == name]
            )
            for name in contract.forecast.targets
        ]
    if isinstance(answer, FaultDiagnosis):
        probability = np.array([value for _, value in answer.probabilities])
        return [probability] if answer.novelty is None else [probability, np.array(answer.novelty)]
    causes = ("", *contract.outlier.causes)
    return [
        np.array([np.nan if it.value is None else it.value for it in answer.stages]),
        np.array([np.nan if it.percentile is None else it.percentile for it in answer.stages]),
        np.array([-1 if it.stage is None else it.stage for it in answer.stages]),
        np.array([causes.index(it.cause) for it in answer.stages]),
    ]


def test_a_server_answers_as_torch(model_folder: Path, contract: Contract, cases: Arrays) -> None:
    blocks = cases[0].reshape(-1, *cases[0].shape[2:])[: contract.sequence + 300]
    hop_us = round(contract.hop_s * 1e6)
    with running_server(model_folder.parents[1]) as server, Client(server.address) as client:
        recording = (
            Block(number, number * hop_us, contract.sample_rate_hz, values)
            for number, values in enumerate(blocks)
        )
        estimates = list(client.predict(recording, model=contract.name, version=contract.version))
    every = round((contract.every_s or contract.hop_s) / contract.hop_s)
    first = 0 if contract.partial else contract.sequence - 1
    rows = [row for row in range(first, len(blocks)) if (row + 1) % every == 0]
    assert [it.sequence for it in estimates] == rows
    before = np.full((contract.sequence, *blocks.shape[1:]), np.nan, np.float32)
    padded = np.concatenate([before, blocks])
    windows = np.stack([padded[row + 1 : row + 1 + contract.sequence] for row in rows])
    ends_us = np.array(rows) * hop_us + round((contract.window - 1) / contract.sample_rate_hz * 1e6)
    inputs = (windows,)
    if contract.time_zone is not None:
        inputs = (windows, minutes_of_week(ends_us, contract.time_zone))
    model = load_checkpoint(model_folder / "weights.pth").build_model()
    expected = run_frozen(run_torch(model), 1, inputs)
    for row, estimate in enumerate(estimates):
        for output, part, got in zip(
            contract.outputs, expected, read_outputs(estimate, contract), strict=True
        ):
            wanted = np.where(np.isnan(got), np.nan, part[row])
            np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=output.tolerance)


def test_neighbours_and_padding_change_nothing(
    model_folder: Path, contract: Contract, cases: Arrays, expected: Arrays
) -> None:
    batch = contract.batch_sizes[-1]
    runtime = run_onnx(model_folder / f"batch-{batch}.onnx")
    windows = cases[0]
    for neighbour in (np.zeros_like(windows[1]), windows[2], np.full_like(windows[1], np.nan)):
        for place in {0, batch // 2, batch - 1}:
            inputs = tuple(np.repeat(part[1:2], batch, axis=0) for part in cases)
            inputs[0][:] = neighbour
            inputs[0][place] = windows[1]
            for output, part, got in zip(contract.outputs, expected, runtime(inputs), strict=True):
                np.testing.assert_allclose(
                    got[place], part[1], rtol=1e-5, atol=output.tolerance / 100
                )


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

    def double(inputs: Arrays) -> Arrays:
        seen.append(inputs[0].tolist())
        return (inputs[0] * 2,)

    (answers,) = run_frozen(double, 3, (cases,))
    assert answers.tolist() == [0, 2, 4, 6, 8]
    assert seen == [[0, 1, 2], [3, 4, 0]]

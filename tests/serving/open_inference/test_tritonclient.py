"""The real tritonclient against every bundled model: raw readings in, right answers out."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray
from running import RunningServer, running_server
from tritons import Triton

from wearcast.serving.folder import read_folder
from wearcast.serving.models import BUNDLED, find_folders, open_model
from wearcast.signals.contract import Contract
from wearcast.signals.golden import golden_input

KEYS = list(find_folders())
# More than the largest batch of any bundled model, so that a request has to be split.
ROWS = 37


class Case(NamedTuple):
    """Raw readings, and what the model answers where no server is."""

    contract: Contract
    arrays: dict[str, NDArray[np.float32]]
    outputs: dict[str, NDArray[np.float32]]


@pytest.fixture(scope="module", params=KEYS, ids=lambda key: f"{key[0]}/{key[1]}")
def case(request: pytest.FixtureRequest) -> Case:
    session = open_model(None, *request.param)
    golden = msgspec.structs.replace(read_folder(find_folders()[request.param]).golden, rows=ROWS)
    windows, minutes = golden_input(session.contract, golden)
    arrays = {"blocks": windows} | ({} if minutes is None else {"minute_of_week": minutes})
    return Case(session.contract, arrays, session.run(windows, minutes))


def ask(drive: Triton, verb: str, server: RunningServer, case: Case, **job: Any) -> Any:
    contract = case.contract
    outputs = [output.name for output in contract.outputs]
    job = {"model": contract.name, "version": str(contract.version), "outputs": outputs} | job
    return drive(verb, server.address, case.arrays, **job)


def check_answer(got: dict[str, Any], case: Case, rows: slice) -> None:
    contract = case.contract
    assert got["model"] == f"{contract.name}/{contract.version}"
    for output in contract.outputs:
        values = np.array(got["values"][output.name])
        expected = case.outputs[output.name][rows]
        assert values.shape == expected.shape
        np.testing.assert_allclose(values, expected, rtol=1e-4, atol=output.tolerance)


def test_the_answers_differ_from_row_to_row(case: Case) -> None:
    # Else a mix-up of rows would go unnoticed below.
    changing = [name for name, part in case.outputs.items() if len(np.unique(part, axis=0)) > 10]
    assert changing


def test_all_that_there_is_to_ask(drive: Triton, bundled_server: RunningServer, case: Case) -> None:
    got = ask(drive, "describe", bundled_server, case)
    contract = case.contract
    assert [got[name] for name in ("live", "ready", "model_ready")] == [True] * 3
    assert got["server"]["name"] == "wearcast"
    assert "model_repository" in got["server"]["extensions"]
    key = {"name": contract.name, "version": str(contract.version)}
    metadata, config = got["metadata"], got["config"]["config"]
    assert metadata["name"] == config["name"] == contract.name
    assert key["version"] in metadata["versions"]
    described = {item["name"]: item for item in metadata["inputs"]}
    assert described.keys() == case.arrays.keys()
    for name, values in case.arrays.items():
        assert described[name]["datatype"] == "FP32"
        assert described[name]["shape"] == ["-1", *map(str, values.shape[1:])]
    for item, output in zip(metadata["outputs"], contract.outputs, strict=True):
        assert item["name"] == output.name
        assert item["shape"] == ["-1", *map(str, output.shape)]
    assert config["max_batch_size"] == max(contract.batch_sizes)
    rows = [(name, list(map(str, part.shape[1:]))) for name, part in case.arrays.items()]
    assert [(item["name"], item.get("dims", [])) for item in config["input"]] == rows
    rows = [(output.name, list(map(str, output.shape))) for output in contract.outputs]
    assert [(item["name"], item.get("dims", [])) for item in config["output"]] == rows
    assert {item["data_type"] for item in config["input"] + config["output"]} == {"TYPE_FP32"}
    stated = Contract.from_json(config["parameters"]["contract"]["string_value"])
    assert stated == contract
    (statistics,) = got["statistics"]["model_stats"]
    assert {name: statistics[name] for name in key} == key
    assert {**key, "state": "READY"} in got["index"]["models"]


def test_answers_for_any_number_of_rows(
    drive: Triton, bundled_server: RunningServer, case: Case
) -> None:
    counts = [1, 3, max(case.contract.batch_sizes), ROWS]
    answers = ask(drive, "infer", bundled_server, case, rows=counts)
    for count, got in zip(counts, answers, strict=True):
        assert got["id"] == f"{count} rows"
        check_answer(got, case, slice(count))


def test_wanted_outputs_come_in_their_order(
    drive: Triton, bundled_server: RunningServer, case: Case
) -> None:
    wanted = [output.name for output in case.contract.outputs][::-1][:2]
    (got,) = ask(drive, "infer", bundled_server, case, rows=[2], outputs=wanted)
    assert got["names"] == wanted


def test_many_at_once(drive: Triton, bundled_server: RunningServer, case: Case) -> None:
    answers = ask(drive, "infer_async", bundled_server, case)
    assert [got["id"] for got in answers] == [str(row) for row in range(ROWS)]
    for row, got in enumerate(answers):
        check_answer(got, case, slice(row, row + 1))


def test_a_stream_of_coroutines(drive: Triton, bundled_server: RunningServer, case: Case) -> None:
    answers = ask(drive, "stream_async", bundled_server, case)
    assert [got["id"] for got in answers] == [str(row) for row in range(ROWS)]
    for row, got in enumerate(answers):
        check_answer(got, case, slice(row, row + 1))


def test_a_stream_goes_on_behind_an_error(
    drive: Triton, bundled_server: RunningServer, case: Case
) -> None:
    bad = [0, 5, 6, ROWS - 1]
    answers = ask(drive, "stream", bundled_server, case, bad=bad)
    assert len(answers) == ROWS
    for row, got in enumerate(answers):
        if row in bad:
            assert "nobody" in got["text"]
        else:
            assert got["id"] == str(row)
            check_answer(got, case, slice(row, row + 1))


@pytest.fixture(scope="module")
def changing_server() -> Iterator[RunningServer]:
    """Another server of the bundled models, for models come and go in this one."""
    with running_server(BUNDLED) as server:
        yield server


def test_unloading_and_loading(drive: Triton, changing_server: RunningServer, case: Case) -> None:
    name, version = case.contract.name, str(case.contract.version)
    gone, back = ask(drive, "repository", changing_server, case)

    def find_state(index: Any) -> str:
        (state,) = (
            item["state"] for item in index["models"]
            if (item["name"], item["version"]) == (name, version)
        )  # fmt: skip
        return state

    assert gone[0] is False
    assert find_state(gone[1]) == "UNAVAILABLE"
    assert sum(item["state"] == "READY" for item in gone[1]["models"]) == len(KEYS) - 1
    assert back[0] is True
    assert find_state(back[1]) == "READY"
    (got,) = ask(drive, "infer", changing_server, case, rows=[5])
    check_answer(got, case, slice(5))


REFUSALS = {
    "unknown model": ("NOT_FOUND", "nobody"),
    "unknown version": ("NOT_FOUND", "99"),
    "metadata of an unknown model": ("NOT_FOUND", "nobody"),
    "configuration of an unknown model": ("NOT_FOUND", "nobody"),
    "statistics of an unknown model": ("NOT_FOUND", "nobody"),
    "shape": ("INVALID_ARGUMENT", "inputs[0].shape"),
    "texts": ("INVALID_ARGUMENT", "inputs[0].datatype: expected FP32, got 'BYTES'"),
    "no input": ("INVALID_ARGUMENT", "inputs"),
    "late": ("DEADLINE_EXCEEDED", "deadline"),
    "shared memory": ("UNIMPLEMENTED", ""),
    "configuration of one's own": ("INVALID_ARGUMENT", "parameters"),
    "load an unknown model": ("NOT_FOUND", "nobody"),
    "unload an unknown model": ("NOT_FOUND", "nobody"),
}


def test_what_is_wrong_is_said(drive: Triton, kinds_server: RunningServer) -> None:
    arrays = {"blocks": np.zeros((4, 3, 2, 64), np.float32)}
    failures = drive("refusals", kinds_server.address, arrays, model="tiny")
    assert failures.keys() == REFUSALS.keys()
    for title, (status, text) in REFUSALS.items():
        assert failures[title]["status"] == f"StatusCode.{status}", title
        assert text in failures[title]["text"], title

"""A model folder is served only if everything in it holds together."""

import json
import shutil
import subprocess
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from running import serve_command
from tiny import mean_abs_fraction, tiny_contract, write_sums, write_tiny_model
from waiting import LONG_S

from wearcast.serving.models import find_folders, find_model, open_model, open_models
from wearcast.serving.session import Session, open_session
from wearcast.signals.contract import Channel, Contract, Output, RulCalibration
from wearcast.signals.errors import ArtefactError, NotFoundError

FILES = ["batch-1.onnx", "batch-4.onnx", "golden.json", "SHA256SUMS"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_tiny_model(tmp_path)


@pytest.fixture(scope="session")
def session(tiny_models: Path) -> Session:
    return open_session(tiny_models / "tiny" / "1")


def edit_golden(folder: Path, **changes) -> None:
    path = folder / "golden.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    write_sums(folder)


def changed(**fields) -> Contract:
    return msgspec.structs.replace(tiny_contract(), **fields)


def test_good_folder(folder):
    assert open_session(folder).contract == tiny_contract()


def test_weights_are_those_that_the_contract_names(folder):
    (folder / "weights.pth").write_bytes(b"no weights")
    write_sums(folder)
    assert open_session(folder).contract == tiny_contract()
    (folder / "weights.pth").write_bytes(b"another model's weights")
    write_sums(folder)
    with pytest.raises(ArtefactError, match=r"weights\.pth: expected SHA-256 \w+, got \w+"):
        open_session(folder)


@pytest.mark.parametrize("name", FILES)
def test_flipped_byte(folder, name):
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(ArtefactError, match=r"expected (SHA-256 \w+|lines of 'HEX  NAME'), got"):
        open_session(folder)


@pytest.mark.parametrize("name", FILES)
def test_missing_file(folder, name):
    (folder / name).unlink()
    with pytest.raises(ArtefactError, match=f"{name}: expected a readable file, got No such file"):
        open_session(folder)


@pytest.mark.parametrize("name", ["batch-1.onnx", "batch-4.onnx", "golden.json"])
def test_unlisted_file(folder, name):
    sums = (folder / "SHA256SUMS").read_text().splitlines(keepends=True)
    (folder / "SHA256SUMS").write_text("".join(line for line in sums if name not in line))
    with pytest.raises(ArtefactError, match="listed"):
        open_session(folder)


def test_listed_file_outside(folder):
    with (folder / "SHA256SUMS").open("a") as sums:
        sums.write("0" * 64 + "  ../../secret\n")
    with pytest.raises(ArtefactError, match="expected lines of 'HEX  NAME'"):
        open_session(folder)


def test_golden_output_off(folder):
    outputs = json.loads((folder / "golden.json").read_text())["outputs"]
    outputs["life_fraction"][1] += 0.001
    edit_golden(folder, outputs=outputs)
    with pytest.raises(
        ArtefactError, match=r"life_fraction: expected within 0.0001, got 0.0009\d* off"
    ):
        open_session(folder)


def test_golden_output_within_tolerance(folder):
    outputs = json.loads((folder / "golden.json").read_text())["outputs"]
    outputs["life_fraction"][1] += 0.00009
    edit_golden(folder, outputs=outputs)
    assert open_session(folder).contract.name == "tiny"


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"outputs": {}}, r"life_fraction: expected \(3,\), got \(0,\)"),
        ({"outputs": {"life_fraction": [0.1, 0.2]}}, r"expected \(3,\), got \(2,\)"),
        ({"outputs": {"life_fraction": [0.1, None, 0.2]}}, "life_fraction"),
        ({"outputs": {"life_fraction": [[0.1], [0.2, 0.3], 0.1]}}, "expected numbers of shape"),
        ({"outputs": {"life_fraction": ["a", "b", "c"]}}, "expected numbers of shape"),
        ({"rows": 0}, "golden.rows: expected 1 to 1000, got 0"),
        ({"rows": 10**9}, "golden.rows: expected 1 to 1000, got 1000000000"),
        ({"seed": -1}, "golden.seed: expected 0 to 4294967295, got -1"),
        ({"extra": 1}, "golden.json: expected valid JSON with every key, got .*extra"),
    ],
)
def test_bad_golden(folder, changes, text):
    edit_golden(folder, **changes)
    with pytest.raises(ArtefactError, match=text):
        open_session(folder)


@pytest.mark.parametrize(
    ("contract", "text"),
    [
        (changed(window=65), "inputs: expected .*65.*got .*64"),
        (changed(sequence=2), "inputs: expected"),
        (changed(channels=(Channel("h", "g"),)), "inputs: expected"),
        (changed(outputs=(Output("wear", "1"),)), "contract.outputs: expected .*life_fraction"),
        (changed(outputs=(Output("life_fraction", "1", (2,)),)), "contract.outputs: expected"),
        (
            changed(kind="fault"),
            "contract.kind: expected one of rul, .*, got fault",
        ),
        (changed(rul=None), "contract.kind: expected one of rul"),
        (changed(batch_sizes=(1, 4, 8)), r"graphs: expected \[1, 4, 8\], got \[1, 4\]"),
        (changed(format=1), "contract.format: expected 2, got 1"),
        (changed(name="other"), "contract: expected tiny/1, got other/1"),
        (changed(version=2), "contract: expected tiny/1, got tiny/2"),
    ],
)
def test_contract_does_not_fit(tmp_path, contract, text):
    write_tiny_model(tmp_path, tiny_contract(), stated=contract.to_json())
    with pytest.raises(ArtefactError, match=text):
        open_model(tmp_path, "tiny")


def test_extra_key_in_the_contract(tmp_path):
    stated = json.dumps(json.loads(tiny_contract().to_json()) | {"surprise": 1})
    folder = write_tiny_model(tmp_path, stated=stated)
    with pytest.raises(ArtefactError, match=r"contract: expected valid JSON .*surprise"):
        open_session(folder)


def test_graphs_of_different_exports(tmp_path):
    one = write_tiny_model(tmp_path / "one")
    other = write_tiny_model(tmp_path / "other", changed(rul=RulCalibration(8.0, 0.6)))
    shutil.copy(other / "batch-4.onnx", one / "batch-4.onnx")
    write_sums(one)
    with pytest.raises(ArtefactError, match=r"expected the contract of batch-1\.onnx, got another"):
        open_session(one)


def test_not_a_graph(folder):
    (folder / "batch-4.onnx").write_bytes(b"not a graph")
    write_sums(folder)
    with pytest.raises(ArtefactError, match=r"batch-4\.onnx: expected an ONNX graph"):
        open_session(folder)


def test_newest_version(tmp_path):
    for version in (2, 10, 9):
        write_tiny_model(tmp_path, tiny_contract(version=version))
    (tmp_path / "tiny" / ".11-unfinished").mkdir()
    (tmp_path / "tiny" / "012").mkdir()
    assert find_model(tmp_path, "tiny").name == "10"
    assert find_model(tmp_path, "tiny", 9).name == "9"
    assert list(open_models(tmp_path)) == [("tiny", 2), ("tiny", 9), ("tiny", 10)]
    with pytest.raises(NotFoundError, match="expected one of tiny/2, tiny/9, tiny/10, got tiny/3"):
        find_model(tmp_path, "tiny", 3)


def test_no_models(tmp_path):
    with pytest.raises(NotFoundError, match="models: expected a folder holding NAME/VERSION/, got"):
        find_folders(tmp_path)


def test_server_refuses_a_damaged_folder(folder):
    (folder / "golden.json").unlink()
    command = serve_command(folder.parent.parent, "--listen", "127.0.0.1:0")
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=LONG_S)
    assert done.returncode == 5
    assert done.stdout == ""
    assert "golden.json: expected a readable file, got No such file" in done.stderr
    assert "Traceback" not in done.stderr


WINDOW = (3, 2, 64)
VALUES = st.floats(-100, 100, width=32)


@settings(max_examples=50, deadline=None)
@given(rows=st.integers(0, 13), seed=st.integers(0, 2**32 - 1))
def test_batches_of_any_size(session, rows, seed):
    windows = np.random.RandomState(seed).standard_normal((rows, *WINDOW)).astype(np.float32)
    got = session.run(windows)["life_fraction"]
    assert got.shape == (rows,)
    np.testing.assert_allclose(got, mean_abs_fraction(windows), atol=1e-6)


@settings(max_examples=50, deadline=None)
@given(
    window=arrays(np.float32, WINDOW, elements=VALUES, fill=VALUES),
    neighbours=arrays(np.float32, (3, *WINDOW), elements=VALUES, fill=VALUES),
    place=st.integers(0, 3),
)
def test_neighbours_and_padding_change_nothing(session, window, neighbours, place):
    alone = session.run(window[None])["life_fraction"][0]
    padded = session.run(np.stack([window, window]))["life_fraction"]
    among = session.run(np.insert(neighbours, place, window, axis=0))["life_fraction"][place]
    assert alone == pytest.approx(float(padded[0]), abs=1e-6)
    assert alone == pytest.approx(float(padded[1]), abs=1e-6)
    assert alone == pytest.approx(float(among), abs=1e-6)

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
import pytest
import torch
from checkpoints import make_checkpoint
from click.testing import CliRunner
from torch import Tensor

from wearcast.clients.cli.export import command
from wearcast.export.model_folder import export_checkpoint, next_version
from wearcast.export.parity import run_frozen, run_onnx
from wearcast.serving.session import open_session
from wearcast.signals.contract import CONTRACT_KEY, Channel, Contract
from wearcast.signals.errors import ArtefactError, InputError
from wearcast.signals.golden import Golden, golden_input
from wearcast.training.architectures import ARCHITECTURES
from wearcast.training.checkpoint import load_checkpoint, save_checkpoint
from wearcast.training.rul.cnn_lstm import CnnLstm, CnnLstmConfig
from wearcast.training.rul.model import RulModel

__all__ = ["CnnLstmConfig"]  # found by its name, as a checkpoint names it

NAME = "bearing-rul"


@pytest.fixture(scope="module")
def models_dir(pth: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small checkpoint, exported twice."""
    out_dir = tmp_path_factory.mktemp("models")
    for batches in ([2, 1], [1]):
        export_checkpoint(pth, NAME, out_dir, batches)
    return out_dir


@pytest.fixture(scope="module")
def folder(models_dir: Path) -> Path:
    return models_dir / NAME / "1"


def read_contract(path: Path) -> Contract:
    properties = {prop.key: prop.value for prop in onnx.load(path).metadata_props}
    return Contract.from_json(properties[CONTRACT_KEY])


def write_checkpoint(path: Path, **changes: Any) -> Path:
    save_checkpoint(path, msgspec.structs.replace(make_checkpoint(), **changes))
    return path


def test_exporting_again_makes_the_next_version_and_nothing_else(models_dir: Path) -> None:
    assert [path.name for path in models_dir.iterdir()] == [NAME]
    assert sorted(path.name for path in (models_dir / NAME).iterdir()) == ["1", "2"]
    assert [read_contract(models_dir / NAME / v / "batch-1.onnx").version for v in "12"] == [1, 2]


def test_the_folder_holds_every_file_and_its_hash(folder: Path) -> None:
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    sums = files.pop("SHA256SUMS").decode().splitlines()
    assert sorted(files) == [
        "batch-1.onnx",
        "batch-1.torchscript",
        "batch-2.onnx",
        "batch-2.torchscript",
        "encoder-1.onnx",
        "encoder-2.onnx",
        "golden.json",
        "head-1.onnx",
        "head-2.onnx",
        "weights.pth",
    ]
    assert dict(reversed(line.split("  ")) for line in sums) == {
        name: hashlib.sha256(contents).hexdigest() for name, contents in files.items()
    }


def test_the_contract_says_what_the_checkpoint_says(folder: Path, pth: Path) -> None:
    contract, checkpoint = read_contract(folder / "batch-1.onnx"), load_checkpoint(pth)
    assert contract == read_contract(folder / "batch-2.onnx")
    assert (contract.name, contract.kind, contract.batch_sizes) == (NAME, "rul", (1, 2))
    assert contract.channels == (Channel("horizontal", "g"), Channel("vertical", "g"))
    for key in ("sample_rate_hz", "window", "hop_s", "sequence", "rul"):
        assert getattr(contract, key) == getattr(checkpoint, key)
    assert contract.training == {"architecture": "cnn-lstm", **checkpoint.training}
    assert [(output.name, output.shape) for output in contract.outputs] == [("life_fraction", ())]
    assert [output.tolerance for output in contract.outputs] == [1e-4]
    assert contract.weights_sha256 == hashlib.sha256(pth.read_bytes()).hexdigest()
    assert (folder / "weights.pth").read_bytes() == pth.read_bytes()


def test_golden_cases_hold(folder: Path) -> None:
    contract = read_contract(folder / "batch-1.onnx")
    golden = Golden.from_json((folder / "golden.json").read_text())
    for batch in contract.batch_sizes:
        runtime = run_onnx(folder / f"batch-{batch}.onnx")
        windows, _ = golden_input(contract, golden)
        (got,) = run_frozen(runtime, batch, (windows,))
        np.testing.assert_allclose(got, golden.outputs["life_fraction"], rtol=0, atol=1e-4)


def test_serving_takes_the_folder(folder: Path) -> None:
    session = open_session(folder)
    assert session.contract == read_contract(folder / "batch-1.onnx")


def test_shapes_are_fixed_and_the_lstm_is_one_operator(folder: Path) -> None:
    graph = onnx.load(folder / "batch-2.onnx").graph
    (blocks,), (fraction,) = graph.input, graph.output
    assert blocks.name == "blocks"
    assert [dim.dim_value for dim in blocks.type.tensor_type.shape.dim] == [2, 2, 2, 2560]
    assert [dim.dim_value for dim in fraction.type.tensor_type.shape.dim] == [2]
    operators = [node.op_type for node in graph.node]
    assert operators.count("LSTM") == 2
    assert "Loop" not in operators


def test_no_path_of_the_exporting_machine_is_in_the_files(folder: Path) -> None:
    here = str(Path(__file__).parents[2]).encode()
    for path in folder.iterdir():
        contents = path.read_bytes()
        assert here not in contents, path.name
        assert b"site-packages" not in contents, path.name


def test_the_command_line_makes_the_same(pth: Path, tmp_path: Path) -> None:
    arguments = [str(pth), "--name", "cli", "--out", str(tmp_path), "--batch", "1", "--json"]
    result = CliRunner().invoke(command, [*arguments, "--version", "7"], catch_exceptions=False)
    printed = json.loads(result.stdout)
    assert Path(printed["folder"]) == tmp_path / "cli" / "7"
    contract = read_contract(tmp_path / "cli" / "7" / "batch-1.onnx")
    assert printed["contract"] == json.loads(contract.to_json())
    assert printed["largest_difference"] < 1e-4
    assert next_version(tmp_path / "cli") == 8


def test_a_version_that_exists_is_left_alone(models_dir: Path, pth: Path) -> None:
    before = (models_dir / NAME / "1" / "SHA256SUMS").read_text()
    with pytest.raises(ArtefactError, match="version: expected one that is free, got 1"):
        export_checkpoint(pth, NAME, models_dir, [1], version=1)
    assert (models_dir / NAME / "1" / "SHA256SUMS").read_text() == before


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "Ünder", "a" * 101])
def test_names_that_are_no_folder_are_refused(pth: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="name: expected"):
        export_checkpoint(pth, name, tmp_path / "out", [1])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("batches", [[], [0], [1, -1]])
def test_batches_below_1_are_refused(pth: Path, tmp_path: Path, batches: list[int]) -> None:
    with pytest.raises(InputError, match="batch: expected one size or more"):
        export_checkpoint(pth, NAME, tmp_path / "out", batches)


def test_a_damaged_checkpoint_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "bad.pth").write_bytes(b"PK\x03\x04 and then nothing")
    with pytest.raises(ArtefactError, match="expected a checkpoint"):
        export_checkpoint(tmp_path / "bad.pth", NAME, tmp_path / "out", [1])
    assert [path.name for path in tmp_path.iterdir()] == ["bad.pth"]


def test_weights_of_nan_leave_nothing_behind(tmp_path: Path) -> None:
    state = make_checkpoint().state_dict
    state["output.bias"] = torch.full((1,), torch.nan)
    path = write_checkpoint(tmp_path / "nan.pth", state_dict=state)
    with pytest.raises(ArtefactError, match="model: life_fraction: expected 0 to 1, got nan"):
        export_checkpoint(path, NAME, tmp_path / "out", [1])
    assert list(tmp_path.iterdir()) == [path]


def test_a_window_that_the_model_does_not_take_leaves_nothing_behind(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path / "short.pth", window=2559)
    with pytest.raises(ArtefactError, match=r"model: expected to take windows of shape \(2, 2, 2"):
        export_checkpoint(path, NAME, tmp_path / "out", [1])
    assert list(tmp_path.iterdir()) == [path]


class Drifting(RulModel):
    """Answers higher with every call, so that no frozen graph can answer as it does."""

    def __init__(self, config: "DriftingConfig") -> None:
        super().__init__()
        self.step, self.calls = config.step, 0

    def encode(self, snapshots: Tensor) -> Tensor:
        return snapshots.mean((1, 2))

    def head(self, features: Tensor) -> Tensor:
        self.calls += 1
        return (0.01 * features).mean((1, 2)).sigmoid() * 0 + self.step * self.calls


@dataclass(frozen=True)
class DriftingConfig:
    step: float = 0.001


def test_graphs_that_answer_otherwise_leave_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ARCHITECTURES, "drifting", (__name__, "DriftingConfig", "Drifting"))
    path = write_checkpoint(
        tmp_path / "drifting.pth", architecture="drifting", config={}, state_dict={}
    )
    (tmp_path / "out").mkdir()
    with pytest.raises(ArtefactError, match=r"batch-1\.onnx: life_fraction: output of case 0"):
        export_checkpoint(path, NAME, tmp_path / "out", [1])
    assert list((tmp_path / "out").iterdir()) == []


class Hidden(CnnLstm):
    """More than its head makes of what its encoder gives."""

    def forward(self, blocks: Tensor) -> Tensor:
        return super().forward(blocks) * 0.9999


def test_halves_that_are_not_the_whole_leave_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ARCHITECTURES, "hidden", (__name__, "CnnLstmConfig", "Hidden"))
    path = write_checkpoint(tmp_path / "hidden.pth", architecture="hidden")
    text = r"encoder-1\.onnx and head-1\.onnx: life_fraction: output of case 0"
    with pytest.raises(ArtefactError, match=text):
        export_checkpoint(path, NAME, tmp_path / "out", [1])
    assert list(tmp_path.iterdir()) == [path]


def test_a_window_of_one_snapshot_has_nothing_to_reuse(tmp_path: Path) -> None:
    config = {"sequence": 1, "members": 2}
    checkpoint = make_checkpoint("compact", config, sequence=1)
    save_checkpoint(tmp_path / "one.pth", checkpoint)
    folder = export_checkpoint(tmp_path / "one.pth", NAME, tmp_path / "out", [1]).folder
    assert [path.name for path in folder.glob("*.onnx")] == ["batch-1.onnx"]


def test_help_shows_the_example_on_a_line_of_its_own() -> None:
    lines = CliRunner().invoke(command, ["--help"]).stdout.splitlines()
    example = "wearcast export bearing.pth --name bearing-rul --out models --batch 1 --batch 32"
    assert example in [line.strip() for line in lines]

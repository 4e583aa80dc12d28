"""The model of the benchmark: LSTM(4 -> 256, 2 layers, window 60, 1 output), random weights.

A forecast of one of four channels, one row a second. Served models are frozen at batches of 1 to 32
rows; the peers get the same weights with any number of rows, so that they need no padding. Where
many models are served, they are small ones of the same kind.
"""

import hashlib
import shutil
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import onnx
import torch
from torch import Tensor, nn

from wearcast.export.graph import save_graph, write_onnx
from wearcast.signals.contract import CONTRACT_KEY, Channel, Contract, ForecastPart, Output
from wearcast.signals.golden import Golden, golden_input

NAME = "lstm"
CACHE = Path(__file__).parents[2] / ".cache"
BATCHES = (1, 2, 4, 8, 16, 32)
CHANNELS = ("speed", "load", "x", "y")
WINDOW = 60
SUMS = "SHA256SUMS"
HIDDEN = 256
SMALL_HIDDEN = 16
_SEED = 6


class Lstm(nn.Module):
    """Blocks float32 (rows, 60, 4, 1) -> the next x, float32 (rows, 1, 1)."""

    def __init__(self, hidden: int = HIDDEN) -> None:
        super().__init__()
        self.lstm = nn.LSTM(len(CHANNELS), hidden, num_layers=2, batch_first=True)
        self.output = nn.Linear(hidden, 1)

    def forward(self, blocks: Tensor) -> Tensor:
        """What comes next."""
        states, _ = self.lstm(blocks.squeeze(-1))
        said: Tensor = self.output(states[:, -1])
        return said.unsqueeze(-1)


def make_contract(name: str = NAME, hidden: int = HIDDEN) -> Contract:
    """What it takes and gives."""
    return Contract(
        name=name,
        version=1,
        kind="forecast",
        channels=tuple(Channel(name, "1") for name in CHANNELS),
        sample_rate_hz=1.0,
        window=1,
        hop_s=1.0,
        sequence=WINDOW,
        batch_sizes=BATCHES,
        outputs=(Output("x", "1", (1, 1)),),
        weights_sha256=hashlib.sha256(f"seed {_SEED}, {hidden}".encode()).hexdigest(),
        forecast=ForecastPart(("x",), horizons_s=(1.0,), quantiles=(0.5,), mean_s=1.0),
    )


def find_model() -> tuple[Path, Path]:
    """MODELS_DIR for our server and the graph for the peers, made once, as that takes a minute."""

    def write(folder: Path) -> None:
        _write_model(folder / "models" / NAME / "1", HIDDEN)
        _free_rows(folder / "models" / NAME / "1", folder / "any-rows.onnx")

    folder = _make_once(NAME, write)
    return folder / "models", folder / "any-rows.onnx"


def write_small_models(models_dir: Path, count: int) -> list[str]:
    """Write one small model under `count` names, and give the names.

    It is made once. A server shares nothing among them: to it they are as many models.
    """
    source = _make_once("small", lambda folder: _write_model(folder, SMALL_HIDDEN))
    names = [f"small-{number + 1}" for number in range(count)]
    for name in names:
        folder = models_dir / name / "1"
        shutil.copytree(source, folder)
        metadata = {CONTRACT_KEY: make_contract(name, SMALL_HIDDEN).to_json()}
        for path in folder.glob("batch-*.onnx"):
            save_graph(onnx.load(path), path, metadata)
        _write_sums(folder)
    return names


def _make_once(name: str, write: Callable[[Path], None]) -> Path:
    """A folder of the cache, written by `write` unless this very file has done so before."""
    identity = hashlib.sha256(Path(__file__).read_bytes() + torch.__version__.encode()).hexdigest()
    folder = CACHE / f"{name}-{identity[:16]}"
    if not folder.exists():
        CACHE.mkdir(exist_ok=True)
        made = Path(tempfile.mkdtemp(dir=CACHE))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what torch says of its own insides
                write(made)
            made.rename(folder)
        finally:
            shutil.rmtree(made, ignore_errors=True)
    return folder


def _write_model(folder: Path, hidden: int) -> None:
    """Write a folder NAME/1."""
    torch.manual_seed(_SEED)
    model = Lstm(hidden).eval()
    contract = make_contract(hidden=hidden)
    folder.mkdir(parents=True, exist_ok=True)
    metadata = {CONTRACT_KEY: contract.to_json()}
    for rows in BATCHES:
        example = (torch.zeros(rows, WINDOW, len(CHANNELS), 1),)
        path = folder / f"batch-{rows}.onnx"
        write_onnx(model, example, path, outputs=["x"], metadata=metadata)
    golden = Golden(1, 4, center=(0.0,) * 4, scale=(1.0,) * 4, outputs={})
    windows, _ = golden_input(contract, golden)
    with torch.inference_mode():
        answers = model(torch.from_numpy(windows)).numpy()
    golden = msgspec.structs.replace(golden, outputs={"x": answers.tolist()})
    (folder / "golden.json").write_text(golden.to_json())
    _write_sums(folder)


def _write_sums(folder: Path) -> None:
    sums = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n"
        for path in sorted(folder.iterdir())
        if path.name != SUMS
    ]
    (folder / SUMS).write_text("".join(sums))


def _free_rows(folder: Path, path: Path) -> None:
    """Write the graph at batch 1 anew so that it takes any number of rows."""
    torch.manual_seed(_SEED)
    program = torch.onnx.export(
        Lstm().eval(),
        (torch.zeros(2, WINDOW, len(CHANNELS), 1),),
        input_names=["blocks"],
        output_names=["x"],
        dynamic_shapes={"blocks": {0: torch.export.Dim("rows", min=1, max=4096)}},
        dynamo=True,
        verbose=False,
    )
    if program is None:
        raise RuntimeError("torch.onnx.export gave no program")
    path.write_bytes(program.model_proto.SerializeToString())
    _check_same(folder / "batch-8.onnx", path)


def _check_same(frozen: Path, free: Path) -> None:
    """Both graphs answer alike."""
    import onnxruntime as ort  # noqa: PLC0415 - the server's, not the exporter's

    onnx.checker.check_model(onnx.load(free))
    blocks = np.random.default_rng(0).standard_normal((8, WINDOW, len(CHANNELS), 1), np.float32)
    ours, theirs = (
        ort.InferenceSession(path).run(None, {"blocks": blocks})[0] for path in (frozen, free)
    )
    if not np.allclose(ours, theirs, atol=1e-5):
        raise RuntimeError("the peers' graph answers differently")

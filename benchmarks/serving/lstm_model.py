"""The model of the benchmark: LSTM(4 -> 256, 2 layers, window 60, 1 output), random weights.

A forecast of one of four channels, one row a second. Served models are frozen at batches of 1 to 32
rows; the peers get the same weights with any number of rows, so that they need no padding.
"""

import hashlib
import shutil
import tempfile
import warnings
from pathlib import Path

import msgspec
import numpy as np
import onnx
import torch
from torch import Tensor, nn

from wearcast.export.graph import write_onnx
from wearcast.signals.contract import CONTRACT_KEY, Channel, Contract, ForecastPart, Output
from wearcast.signals.golden import Golden, golden_input

NAME = "lstm"
CACHE = Path(__file__).parents[2] / ".cache"
BATCHES = (1, 2, 4, 8, 16, 32)
CHANNELS = ("speed", "load", "x", "y")
WINDOW = 60
_HIDDEN = 256
_SEED = 6


class Lstm(nn.Module):
    """Blocks float32 (rows, 60, 4, 1) -> the next x, float32 (rows, 1, 1)."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(len(CHANNELS), _HIDDEN, num_layers=2, batch_first=True)
        self.output = nn.Linear(_HIDDEN, 1)

    def forward(self, blocks: Tensor) -> Tensor:
        """What comes next."""
        states, _ = self.lstm(blocks.squeeze(-1))
        said: Tensor = self.output(states[:, -1])
        return said.unsqueeze(-1)


def make_contract() -> Contract:
    """What it takes and gives."""
    return Contract(
        name=NAME,
        version=1,
        kind="forecast",
        channels=tuple(Channel(name, "1") for name in CHANNELS),
        sample_rate_hz=1.0,
        window=1,
        hop_s=1.0,
        sequence=WINDOW,
        batch_sizes=BATCHES,
        outputs=(Output("x", "1", (1, 1)),),
        weights_sha256=hashlib.sha256(f"seed {_SEED}".encode()).hexdigest(),
        forecast=ForecastPart(("x",), horizons_s=(1.0,), quantiles=(0.5,), mean_s=1.0),
    )


def find_model() -> tuple[Path, Path]:
    """MODELS_DIR for our server and the graph for the peers, made once, as that takes a minute."""
    identity = hashlib.sha256(Path(__file__).read_bytes() + torch.__version__.encode()).hexdigest()
    folder = CACHE / f"lstm-{identity[:16]}"
    if not folder.exists():
        CACHE.mkdir(exist_ok=True)
        made = Path(tempfile.mkdtemp(dir=CACHE))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what torch says of its own insides
                _write_model(made / "models")
                _free_rows(made / "models" / NAME / "1", made / "any-rows.onnx")
            made.rename(folder)
        finally:
            shutil.rmtree(made, ignore_errors=True)
    return folder / "models", folder / "any-rows.onnx"


def _write_model(models_dir: Path) -> None:
    """Write MODELS_DIR/lstm/1."""
    torch.manual_seed(_SEED)
    model = Lstm().eval()
    contract = make_contract()
    folder = models_dir / NAME / "1"
    folder.mkdir(parents=True)
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
    sums = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n"
        for path in sorted(folder.iterdir())
    ]
    (folder / "SHA256SUMS").write_text("".join(sums))


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

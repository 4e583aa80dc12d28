"""A real but tiny fault model, so that no test needs torch.

`tiny-fault` looks at three frequencies, block by block: a fault's probability is its frequency's
share of the power at all three. Novelty is the mean of |x|, so a loud window is unknown.
"""

from pathlib import Path

import msgspec
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper
from tiny import write_sums

from wearcast.signals.contract import CONTRACT_KEY, Channel, Contract, FaultPart, Output
from wearcast.signals.golden import Golden, golden_input
from wearcast.signals.vibration.vibration import Vibration

RATE_HZ = 2560.0
WINDOW = 256
SHAFT_HZ = 25.0
TONES_HZ = {"normal": 100.0, "looseness": 250.0, "unbalance": 400.0}
FAULTS = tuple(TONES_HZ)
STEADY = 3
_FLOOR = 1e-4

CONTRACT = Contract(
    name="tiny-fault",
    version=1,
    kind="fault",
    channels=(Channel("de", "g"), Channel("fe", "g")),
    sample_rate_hz=RATE_HZ,
    window=WINDOW,
    hop_s=0.1,
    sequence=2,
    batch_sizes=(1, 4),
    outputs=(Output("probability", "1", (3,)), Output("novelty", "1")),
    weights_sha256="0" * 64,
    fault=FaultPart(FAULTS, SHAFT_HZ, {"BPFO": 10.0}, STEADY, 0.1),
)


def _waves() -> NDArray[np.float64]:
    """Cosine and sine of each frequency over one block, (window, 2 x faults)."""
    angles = 2 * np.pi * np.outer(np.arange(WINDOW), list(TONES_HZ.values())) / RATE_HZ
    return np.concatenate([np.cos(angles), np.sin(angles)], axis=1) * 2 / WINDOW


def answer_fault(windows: NDArray[np.float32]) -> dict[str, NDArray[np.float64]]:
    """What the model answers, in numpy: windows (n, sequence, channels, window)."""
    parts = (windows.astype(np.float64) @ _waves()) ** 2
    power = parts.sum(axis=(1, 2)).reshape(-1, 2, len(FAULTS)).sum(axis=1) + _FLOOR
    return {
        "probability": power / power.sum(axis=1, keepdims=True),
        "novelty": np.abs(windows).mean(axis=(1, 2, 3)),
    }


def vibration_of(
    faults: list[str], *, seconds: float = 0.2, name: str = "pump", loud: tuple[int, ...] = ()
) -> Vibration:
    """A tone of each fault in turn, `seconds` long, in noise; labelled as the first one.

    loud: which of them are so loud that they are unknown.
    """
    count = round(seconds * RATE_HZ)
    times_s = np.arange(count * len(faults)) / RATE_HZ
    frequencies = np.repeat([TONES_HZ[fault] for fault in faults], count)
    sizes = np.where(np.isin(np.arange(len(faults)), loud), 5.0, 0.5).repeat(count)
    tone = sizes * np.sin(2 * np.pi * frequencies * times_s)
    noise = np.random.RandomState(5).normal(0, 0.05, (2, len(tone)))
    values = (np.array([[1.0], [0.7]]) * tone + noise).astype(np.float32)
    return Vibration(name, ("de", "fe"), ("g", "g"), RATE_HZ, values, faults[0])


def _tensor(name: str, values: object, kind: int = TensorProto.FLOAT) -> onnx.TensorProto:
    array = np.asarray(values)
    return helper.make_tensor(name, kind, array.shape, array.flatten().tolist())


def _graph(contract: Contract, batch: int) -> onnx.GraphProto:
    count = len(FAULTS)
    pair_up = np.concatenate([np.eye(count), np.eye(count)])  # cosine and sine of one frequency
    return helper.make_graph(
        [
            helper.make_node("MatMul", ["blocks", "waves"], ["parts"]),
            helper.make_node("Mul", ["parts", "parts"], ["squares"]),
            helper.make_node("ReduceSum", ["squares", "inner"], ["pairs"], keepdims=0),
            helper.make_node("MatMul", ["pairs", "pair_up"], ["bare"]),
            helper.make_node("Add", ["bare", "floor"], ["power"]),
            helper.make_node("ReduceSum", ["power", "last"], ["total"], keepdims=1),
            helper.make_node("Div", ["power", "total"], ["probability"]),
            helper.make_node("Abs", ["blocks"], ["size"]),
            helper.make_node("ReduceMean", ["size", "all"], ["novelty"], keepdims=0),
        ],
        "tiny",
        [
            helper.make_tensor_value_info(
                "blocks", TensorProto.FLOAT, [batch, contract.sequence, 2, contract.window]
            )
        ],
        [
            helper.make_tensor_value_info(item.name, TensorProto.FLOAT, [batch, *item.shape])
            for item in contract.outputs
        ],
        [
            _tensor("waves", _waves()),
            _tensor("pair_up", pair_up),
            _tensor("floor", _FLOOR),
            _tensor("inner", [1, 2], TensorProto.INT64),
            _tensor("last", [1], TensorProto.INT64),
            _tensor("all", [1, 2, 3], TensorProto.INT64),
        ],
    )


def write_fault_model(models_dir: Path) -> None:
    """Write MODELS_DIR/tiny-fault/1/."""
    folder = models_dir / CONTRACT.name / "1"
    folder.mkdir(parents=True)
    for batch in CONTRACT.batch_sizes:
        model = helper.make_model(
            _graph(CONTRACT, batch), opset_imports=[helper.make_opsetid("", 18)], ir_version=10
        )
        helper.set_model_props(model, {CONTRACT_KEY: CONTRACT.to_json()})
        onnx.checker.check_model(model)
        (folder / f"batch-{batch}.onnx").write_bytes(model.SerializeToString())
    golden = Golden(seed=3, rows=3, center=(0.0, 0.0), scale=(0.5, 0.5), outputs={})
    windows, _ = golden_input(CONTRACT, golden)
    outputs = {name: part.tolist() for name, part in answer_fault(windows).items()}
    golden = msgspec.structs.replace(golden, outputs=outputs)
    (folder / "golden.json").write_text(golden.to_json())
    write_sums(folder)

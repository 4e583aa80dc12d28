"""Two real but tiny plant models that answer about the same rows, so that no test needs torch.

`tiny-forecast` answers each fifth minute: the mean flow of three rows, times 0.9, 1 and 1.1, at two
horizons, plus the minute of the week. `tiny-outlier` answers each minute, from the first one on: a
missing reading is stage 4, any other stage 0.
"""

from pathlib import Path

import msgspec
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper
from tiny import write_sums

from wearcast.signals.contract import (
    CONTRACT_KEY,
    Channel,
    Contract,
    ForecastPart,
    OutlierPart,
    OutlierPoint,
    Output,
)
from wearcast.signals.golden import Golden, golden_input
from wearcast.signals.rows import Rows

MONDAY_US = 1_704_067_200_000_000  # 2024-01-01 00:00 UTC
MINUTE_US = 60_000_000
FACTORS = np.array([0.9, 1.0, 1.1])
_COMMON = {
    "version": 1,
    "channels": (Channel("flow", "m3/h"), Channel("pressure", "bar")),
    "sample_rate_hz": 1 / 60,
    "window": 1,
    "hop_s": 60.0,
    "batch_sizes": (1, 4),
    "weights_sha256": "0" * 64,
    "missing": True,
}
FORECAST = Contract(
    **_COMMON,
    name="tiny-forecast",
    kind="forecast",
    sequence=3,
    outputs=(Output("flow", "m3/h", (2, 3), tolerance=0.01),),
    time_zone="UTC",
    every_s=300.0,
    forecast=ForecastPart(("flow",), (60.0, 120.0), (0.1, 0.5, 0.9), 60.0),
)
OUTLIER = Contract(
    **_COMMON,
    name="tiny-outlier",
    kind="outlier",
    sequence=4,
    outputs=tuple(Output(name, "", (2,)) for name in ("value", "percentile", "stage", "cause")),
    partial=True,
    outlier=OutlierPart(
        (OutlierPoint("system", "flow", "m3/h"), OutlierPoint("system", "pressure", "bar"))
    ),
)


def plant_rows(count: int, missing: tuple[int, ...] = ()) -> Rows:
    """Rows of a plant whose flow is the row's number, 4 bar throughout; some without a flow."""
    values = np.stack([np.arange(count, dtype=float), np.full(count, 4.0)], axis=1)
    values[list(missing), 0] = np.nan
    return Rows(("flow", "pressure"), MONDAY_US, MINUTE_US, values)


def answer_forecast(
    windows: NDArray[np.float32], minutes: NDArray[np.float32]
) -> dict[str, NDArray[np.float64]]:
    """What tiny-forecast answers, in numpy: a missing reading counts as 0."""
    flow = np.nan_to_num(windows[:, :, 0, 0]).mean(axis=1) + minutes
    return {"flow": np.repeat((flow[:, None] * FACTORS)[:, None], 2, axis=1)}


def answer_outlier(windows: NDArray[np.float32]) -> dict[str, NDArray[np.float64]]:
    """What tiny-outlier answers, in numpy."""
    newest = windows[:, -1, :, 0]
    missing = np.isnan(newest)
    return {
        "value": np.nan_to_num(newest),
        "percentile": missing * 100.0,
        "stage": missing * 4.0,
        "cause": missing * 1.0,
    }


def _constant(name: str, values: object, kind: int = TensorProto.FLOAT) -> onnx.TensorProto:
    array = np.asarray(values)
    return helper.make_tensor(name, kind, array.shape, array.flatten().tolist())


def _forecast_graph(batch: int) -> tuple[list, list, list]:
    nodes = [
        helper.make_node("IsNaN", ["blocks"], ["nan"]),
        helper.make_node("Where", ["nan", "zero", "blocks"], ["filled"]),
        helper.make_node("ReduceMean", ["filled", "axes"], ["mean"], keepdims=0),
        helper.make_node("Gather", ["mean", "first"], ["flow1"], axis=1),
        helper.make_node("Unsqueeze", ["minute_of_week", "last"], ["minutes"]),
        helper.make_node("Add", ["flow1", "minutes"], ["sum"]),
        helper.make_node("Unsqueeze", ["sum", "last"], ["sum3"]),
        helper.make_node("Mul", ["sum3", "factors"], ["flow"]),
    ]
    constants = [
        _constant("zero", 0.0),
        _constant("axes", [1, 3], TensorProto.INT64),
        _constant("first", [0], TensorProto.INT64),
        _constant("last", [1], TensorProto.INT64),
        _constant("factors", np.repeat(FACTORS[None, None], 2, axis=1)),
    ]
    inputs = [helper.make_tensor_value_info("minute_of_week", TensorProto.FLOAT, [batch])]
    return nodes, constants, inputs


def _outlier_graph(_batch: int) -> tuple[list, list, list]:
    nodes = [
        helper.make_node("Gather", ["blocks", "newest"], ["row"], axis=1),
        helper.make_node("Squeeze", ["row", "flat"], ["row2"]),
        helper.make_node("IsNaN", ["row2"], ["nan"]),
        helper.make_node("Where", ["nan", "zero", "row2"], ["value"]),
        helper.make_node("Cast", ["nan"], ["cause"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["cause", "four"], ["stage"]),
        helper.make_node("Mul", ["cause", "hundred"], ["percentile"]),
    ]
    constants = [
        _constant("newest", [OUTLIER.sequence - 1], TensorProto.INT64),
        _constant("flat", [1, 3], TensorProto.INT64),
        _constant("zero", 0.0),
        _constant("four", 4.0),
        _constant("hundred", 100.0),
    ]
    return nodes, constants, []


def write_plant_models(models_dir: Path) -> None:
    """Write both models below a folder."""
    for contract, make in ((FORECAST, _forecast_graph), (OUTLIER, _outlier_graph)):
        folder = models_dir / contract.name / "1"
        folder.mkdir(parents=True)
        for batch in contract.batch_sizes:
            nodes, constants, inputs = make(batch)
            shape = [batch, contract.sequence, 2, 1]
            graph = helper.make_graph(
                nodes,
                "tiny",
                [helper.make_tensor_value_info("blocks", TensorProto.FLOAT, shape), *inputs],
                [
                    helper.make_tensor_value_info(it.name, TensorProto.FLOAT, [batch, *it.shape])
                    for it in contract.outputs
                ],
                constants,
            )
            model = helper.make_model(
                graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10
            )
            helper.set_model_props(model, {CONTRACT_KEY: contract.to_json()})
            onnx.checker.check_model(model)
            (folder / f"batch-{batch}.onnx").write_bytes(model.SerializeToString())
        golden = Golden(seed=3, rows=3, center=(20.0, 4.0), scale=(5.0, 1.0), outputs={})
        windows, minutes = golden_input(contract, golden)
        answers = answer_outlier(windows) if minutes is None else answer_forecast(windows, minutes)
        outputs = {name: part.tolist() for name, part in answers.items()}
        golden = msgspec.structs.replace(golden, outputs=outputs)
        (folder / "golden.json").write_text(golden.to_json())
        write_sums(folder)

"""INT8 beside whole precision: time and error of layers alone and of models.

    python benchmarks/int8.py --write

Times are of the processor, the best of several passes in turns, on one thread.
"""

import argparse
import os
import platform
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from shutil import copyfile

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic
from serving.lstm_model import CHANNELS, WINDOW, Lstm, make_contract

import wearcast
from wearcast.clients.plant_rows import make_blocks
from wearcast.clients.windows import gather_windows
from wearcast.export.graph import quiet_exporter, write_onnx, write_torchscript
from wearcast.export.int8 import BAR, Comparison, Int8, Windows, make_int8
from wearcast.export.model_folder import export_checkpoint
from wearcast.export.parity import Arrays, run_frozen, run_onnx
from wearcast.export.quantize import LEAST_DENSE, LEAST_RECURRENT, quantize
from wearcast.signals.contract import LIFE_FRACTION, Contract, RulCalibration
from wearcast.signals.errors import ArtefactError
from wearcast.signals.golden import Golden
from wearcast.signals.rows import Rows
from wearcast.signals.simulation.gear import draw_rig
from wearcast.signals.simulation.gear_signal import simulate_gear
from wearcast.signals.vibration.vibration import Vibration
from wearcast.training.checkpoint import Checkpoint, save_checkpoint
from wearcast.training.forecast.gear_block import GearRows, make_block
from wearcast.training.forecast.gear_train import train_gear
from wearcast.training.rul.cnn_lstm import CnnLstm, CnnLstmConfig

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "int8.md"
BUNDLED = sorted((Path(wearcast.__file__).parent / "models").glob("*/1/weights.pth"))
LSTM_UNITS = (32, 50, 64, 128, 256)
DENSE_UNITS = (64, 128, 256, 512)
ROWS = (1, 8, 32)
PASSES = 15
# Layers in a row, so that a run is long enough to be timed.
CHAIN = 20


def describe_machine() -> str:
    """Processor, cores and versions in one line."""
    cpuinfo = Path("/proc/cpuinfo")
    text = cpuinfo.read_text() if cpuinfo.exists() else ""
    names = [line.partition(":")[2].strip() for line in text.splitlines() if "model name" in line]
    packages = ", ".join(f"{name} {version(name)}" for name in ("onnx", "onnxruntime", "torch"))
    vnni = "with" if "vnni" in text else "without"
    processor = names[0] if names else platform.machine()
    return f"{processor}, {os.cpu_count()} cores, {vnni} VNNI; {packages}"


def time_rows(paths: Sequence[Path], inputs: Arrays, batch: int) -> list[float]:
    """Microseconds a row of each graph."""
    runtimes = [run_onnx(path) for path in paths]
    best = [float("inf")] * len(paths)
    rows = len(inputs[0])
    for _ in range(PASSES):
        for place, runtime in enumerate(runtimes):
            began_s = time.thread_time()
            run_frozen(runtime, batch, inputs)
            best[place] = min(best[place], (time.thread_time() - began_s) / rows * 1e6)
    return best


def quantize_all(source: Path, target: Path, operators: Sequence[str]) -> Path:
    """Quantize every node of some operators as export does those that it chooses."""
    with quiet_exporter():
        quantize_dynamic(
            source, target, op_types_to_quantize=list(operators), per_channel=True,
            reduce_range=True, weight_type=QuantType.QInt8,
        )  # fmt: skip
    return target


def write_layers(path: Path, kind: str, units: int) -> tuple[int, tuple[int, ...]]:
    """Write a graph of one kind of layer; the weights of each, and the shape of a row."""
    random = np.random.default_rng(0)

    def weights(name: str, *shape: int) -> TensorProto:
        values = random.uniform(-1, 1, shape) / np.sqrt(units)
        return numpy_helper.from_array(values.astype(np.float32), name)

    if kind == "LSTM":
        shape: tuple[int, ...] = (WINDOW, 1, len(CHANNELS))
        parts = [weights("W", 1, 4 * units, shape[-1]), weights("R", 1, 4 * units, units)]
        nodes = [helper.make_node("LSTM", ["x", "W", "R"], ["y"], "lstm", hidden_size=units)]
        result: tuple[int, ...] = (WINDOW, 1, 1, units)
        count, last = 4 * units * units, "y"
    else:
        shape = result = (1, units)
        parts, nodes, last = [], [], "x"
        for number in range(CHAIN):
            parts.append(weights(f"w{number}", units, units))
            nodes.append(helper.make_node("MatMul", [last, f"w{number}"], [f"m{number}"]))
            nodes.append(helper.make_node("Tanh", [f"m{number}"], [f"y{number}"]))
            last = f"y{number}"
        count = units * units
    graph = helper.make_graph(
        nodes,
        kind,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(last, TensorProto.FLOAT, result)],
        parts,
    )
    opsets = [helper.make_opsetid("", 20)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=10), path)
    return count, shape


def time_layers(folder: Path) -> list[str]:
    """Lines of a table of layers alone."""
    lines = ["| layer | weights | us a row | INT8 | |", "|---|---|---|---|---|"]
    for kind, sizes in (("LSTM", LSTM_UNITS), ("MatMul", DENSE_UNITS)):
        least = LEAST_RECURRENT if kind == "LSTM" else LEAST_DENSE
        for units in sizes:
            whole = folder / "layer.onnx"
            count, shape = write_layers(whole, kind, units)
            int8 = quantize_all(whole, folder / "layer.int8", [kind])
            random = np.random.default_rng(1)
            values = random.standard_normal((1, *shape)).astype(np.float32)
            before, after = time_graphs((whole, int8), values[0])
            name = f"LSTM({len(CHANNELS)} -> {units}), {WINDOW} steps"
            if kind == "MatMul":
                name, before, after = f"dense({units} -> {units})", before / CHAIN, after / CHAIN
            used = "" if count >= least else "left alone"
            lines.append(f"| {name} | {count:,} | {before:.1f} | {after:.1f} | {used} |")
    return lines


def time_graphs(paths: Sequence[Path], values: NDArray[np.float32]) -> list[float]:
    """Microseconds a run of graphs whose input is called otherwise than a model's."""
    import onnxruntime  # noqa: PLC0415

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    sessions = [onnxruntime.InferenceSession(path, options) for path in paths]
    best = [float("inf")] * len(paths)
    for _ in range(PASSES):
        for place, session in enumerate(sessions):
            session.run(None, {"x": values})
            began_s = time.thread_time()
            for _ in range(20):
                session.run(None, {"x": values})
            best[place] = min(best[place], (time.thread_time() - began_s) / 20 * 1e6)
    return best


def write_lstm(folder: Path, rows: int) -> Path:
    """The LSTM of the serving benchmark at a batch of `rows`."""
    torch.manual_seed(6)
    path = folder / f"batch-{rows}.onnx"
    example = (torch.zeros(rows, WINDOW, len(CHANNELS), 1),)
    write_onnx(Lstm().eval(), example, path, outputs=["x"], metadata={})
    return path


def compare_batches(folder: Path) -> list[str]:
    """Lines of a table of rows a run: time, and what the other rows of a run change."""
    lines = [
        "| rows a run | us a row | INT8 | other rows alike | 10 times as strong | 100 times |",
        "|---|---|---|---|---|---|",
    ]
    learned = [name for name, _ in Lstm().named_parameters()]
    random = np.random.default_rng(2)
    windows = random.standard_normal((64, WINDOW, len(CHANNELS), 1)).astype(np.float32)
    alone: NDArray[np.float32] | None = None
    for rows in ROWS:
        whole, int8 = write_lstm(folder, rows), folder / f"batch-{rows}.int8"
        graph, _ = quantize(whole, learned)
        onnx.save(graph, int8)
        before, after = time_rows((whole, int8), (windows,), rows)
        runtime = run_onnx(int8)
        if alone is None:
            (alone,) = run_frozen(runtime, 1, (windows,))
        changes = []
        for strength in (1, 10, 100):
            worst = 0.0
            for row in range(len(windows)):
                crowd = strength * windows[:rows]
                crowd[-1] = windows[row]
                worst = max(worst, float(np.abs(runtime((crowd,))[0][-1] - alone[row]).max()))
            changes.append(f"{worst / np.ptp(alone):.1%}")
        lines.append(f"| {rows} | {before:,.0f} | {after:,.0f} | {' | '.join(changes)} |")
    return lines


def compare_lstm(folder: Path, contract: Contract) -> Comparison:
    """The LSTM of the serving benchmark as `wearcast export --int8` would have it."""
    told: list[Comparison] = []
    model = Lstm().eval()
    path = write_lstm(folder, 1)
    write_torchscript(
        model, (torch.zeros(1, WINDOW, len(CHANNELS), 1),), path.with_suffix(".torchscript")
    )
    golden = Golden(1, 4, center=(0.0,) * 4, scale=(1.0,) * 4, outputs={})
    learned = [name for name, _ in model.named_parameters()]
    make_int8(folder, contract, golden, learned, Int8(on_compared=told.append))
    return told[0]


def simulate_block() -> GearRows:
    """The first block of a simulated gear."""
    values = simulate_gear(draw_rig(0), "no fault")[0]
    return make_block(
        Vibration(
            name="simulated",
            channels=("sensor1", "sensor2"),
            units=("V", "V"),
            sample_rate_hz=5_000.0,
            values=values.astype(np.float32),
            fault="no fault",
            conditions={"speed": "8.33", "load": "0"},
        )
    )


def fit_gear(epochs: int) -> tuple[Checkpoint, Rows]:
    """A gear forecaster, and the rows that it was not fitted to."""
    block = simulate_block()
    test, rows = block.parts.test, block.rows
    unseen = Rows(rows.channels, rows.start_us, rows.step_us, rows.values[test.start : test.stop])
    return train_gear(block, epochs=epochs).checkpoint, unseen


def make_cnn_lstm() -> Checkpoint:
    """A CNN-LSTM that has learned nothing."""
    torch.manual_seed(0)
    config = CnnLstmConfig()
    model = CnnLstm(config)
    with torch.no_grad():
        model(torch.randn(8, config.sequence, 2, config.window))  # for batch norm
    return Checkpoint(
        kind="rul", architecture="cnn-lstm", config=asdict(config), state_dict=model.state_dict(),
        channels=(("horizontal", "g"), ("vertical", "g")), sample_rate_hz=25_600.0,
        window=config.window, hop_s=10.0, sequence=config.sequence, outputs=(LIFE_FRACTION,),
        center=(0.0, 0.0), scale=(4.0, 4.0), training={},
        rul=RulCalibration(prior_log_mean=9.0, prior_log_sd=0.6),
    )  # fmt: skip


def compare_model(folder: Path, name: str, checkpoint: Path, rows: Rows | None) -> str:
    """Lines of the table of models."""
    told: list[Comparison] = []

    def gather(contract: Contract) -> list[Windows]:
        if rows is None:
            return []
        found = gather_windows(make_blocks(rows), contract, limit=512)
        assert found is not None
        return [Windows("unseen", (found.values,), found.followed)]

    result = "kept"
    try:
        export_checkpoint(
            checkpoint, "model", folder / name, [1],
            int8=Int8(gather=gather, on_compared=told.append),
        )  # fmt: skip
    except ArtefactError as error:
        if "no layer that would gain" in str(error):
            return f"| {name} | 0 | | | | | refused: no layer would gain |"
        if not told:
            raise
        result = "refused: above the bar"
    return "\n".join(describe(name, told[0], result))


def describe(name: str, comparison: Comparison, result: str) -> list[str]:
    """A line for each set of windows and output."""
    whole, int8 = comparison.whole, comparison.int8
    lines = []
    for item in comparison.differences:
        errors = "" if item.errors is None else f"{item.errors[0]:.5g} -> {item.errors[1]:.5g}"
        lines.append(
            f"| {name}: {item.windows}, {item.rows} windows | {comparison.layers} "
            f"| {whole.bytes / 1e6:.2f} -> {int8.bytes / 1e6:.2f} "
            f"| {whole.row_us:,.0f} -> {int8.row_us:,.0f} | {item.worst / item.spread:.2%} "
            f"| {errors} | {result} |"
        )
    return lines


def time_convolutions(folder: Path, checkpoint: Checkpoint) -> list[str]:
    """Lines of a table: the CNN-LSTM whole, as exported, and with its convolutions quantized."""
    path = folder / "cnn.pth"
    save_checkpoint(path, checkpoint)
    exported = export_checkpoint(path, "cnn", folder, [1]).folder
    whole = folder / "cnn.onnx"
    copyfile(exported / "batch-1.onnx", whole)
    learned = [name for name, _ in checkpoint.build_model().named_parameters()]
    graph, _ = quantize(whole, learned)
    chosen = folder / "chosen.onnx"
    onnx.save(graph, chosen)
    everything = quantize_all(chosen, folder / "everything.onnx", ["Conv"])
    shape = (4, checkpoint.sequence, 2, checkpoint.window)
    windows = np.random.default_rng(3).standard_normal(shape).astype(np.float32)
    paths = (whole, chosen, everything)
    times = time_rows(paths, (windows,), 1)
    lines = ["| CNN-LSTM | convolutions | of 8 bits | us a row |", "|---|---|---|---|"]
    names = ("whole precision", "as exported with --int8", "convolutions too")
    for name, graph_path, row_us in zip(names, paths, times, strict=True):
        operators = [node.op_type for node in onnx.load(graph_path).graph.node]
        plain, integer = operators.count("Conv"), operators.count("ConvInteger")
        lines.append(f"| {name} | {plain + integer} | {integer} | {row_us:,.0f} |")
    return lines


def measure(epochs: int) -> str:
    """The report."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        layers = time_layers(folder)
        batches = compare_batches(folder)
        cnn = make_cnn_lstm()
        convolutions = time_convolutions(folder, cnn)
        (folder / "lstm").mkdir()
        models = describe(
            "LSTM of the serving benchmark", compare_lstm(folder / "lstm", make_contract()), "kept"
        )
        gear, unseen = fit_gear(epochs)
        save_checkpoint(folder / "gear.pth", gear)
        models.append(compare_model(folder, "gear-lstm", folder / "gear.pth", unseen))
        models += [compare_model(folder, it.parts[-3], it, None) for it in BUNDLED]
    return "\n".join(
        [
            "# INT8 beside whole precision",
            "",
            f"{describe_machine()}. Time of the processor, one thread.",
            "",
            "## Models, at one row a run",
            "",
            f"Largest deviation of an answer, as a share of the range of the answers; {BAR:.0%} is",
            "the bar. Mean error: of the median, against what was read. The LSTM has random",
            f"weights, gear-lstm was fitted to a simulated gear for {epochs} epochs, the others",
            "are bundled.",
            "",
            "| model and windows | layers | MB | us a row | deviation | mean error | |",
            "|---|---|---|---|---|---|---|",
            *models,
            "",
            "## Rows a run, LSTM of the serving benchmark",
            "",
            "How far the other rows of a run move a row's INT8 answer, as a share of the range of",
            "the answers. This is why INT8 is frozen at one row.",
            "",
            *batches,
            "",
            "## Layers alone, at one row a run",
            "",
            *layers,
            "",
            "## Convolutions",
            "",
            "Random weights.",
            "",
            *convolutions,
            "",
            "Made by `python benchmarks/int8.py --write`.",
            "",
        ]
    )


def main() -> None:
    """Measure, print, and write if asked."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--epochs", type=int, default=5, help="of the gear forecaster")
    parser.add_argument("--write", action="store_true", help=f"write {RESULTS.name}")
    options = parser.parse_args()
    torch.set_num_threads(1)
    report = measure(options.epochs)
    print(report)
    if options.write:
        RESULTS.write_text(report)


if __name__ == "__main__":
    main()

"""A model in ONNX Runtime: loaded only if its folder holds together, run in frozen batches.

session = open_session(Path("models/bearing-rul/1"))
session.run(windows)["life_fraction"]         # with a clock: session.run(windows, minutes)
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from wearcast.serving.folder import WEIGHTS, ModelFolder, read_folder
from wearcast.serving.graph import check_inputs, check_outputs, open_graph, read_metadata
from wearcast.serving.halves import Halves, open_halves
from wearcast.signals.contract import CONTRACT_KEY, Contract, check_parts
from wearcast.signals.errors import ArtefactError
from wearcast.signals.golden import golden_input

# The second one only where the contract has a time zone.
INPUTS = ("blocks", "minute_of_week")


class Session:
    """One model at all its batch sizes, on the thread that calls it.

    `contract` is what the model takes and gives, `contract_json` the same as it stands in the file.
    """

    def __init__(self, folder: ModelFolder) -> None:
        self._folder = folder
        self._graphs = {
            size: open_graph(f"{folder.title}/batch-{size}.onnx", content)
            for size, content in folder.graphs.items()
        }
        self.contract_json, self.contract = _read_contract(folder.title, self._graphs)
        for size, graph in self._graphs.items():
            _check_shapes(f"{folder.title}/batch-{size}.onnx", graph, self.contract, size)
        if folder.weights_sha256 not in {None, self.contract.weights_sha256}:
            field, expected = f"{folder.title}/{WEIGHTS}", f"SHA-256 {self.contract.weights_sha256}"
            raise ArtefactError(field, expected, folder.weights_sha256, reason="HASH")

    def clone(self) -> Self:
        """Another session of the same model, for another thread."""
        return type(self)(self._folder)

    def open_halves(self) -> Halves | None:
        """Encoder and head of the same model, for the thread of this session; None: it has none.

        Raises:
            ArtefactError: they are not of one model, or not of this one.
        """
        return open_halves(self._folder, self.contract, self.contract_json)

    def run(
        self, windows: NDArray[np.float32], minutes: NDArray[np.float32] | None = None
    ) -> dict[str, NDArray[np.float32]]:
        """Answer windows (n, sequence, channels, window) with each output's (n, *shape).

        minutes: float32 (n,), of the week at the windows' ends, where the contract has a time zone.
        Each part takes the smallest frozen batch that holds it, filled up with zeros; what is
        above the largest batch is split.
        """
        inputs = [np.ascontiguousarray(windows, np.float32)]
        if self.contract.time_zone is not None:
            if minutes is None:
                raise ValueError("minutes: expected one a window, got none")
            inputs.append(np.ascontiguousarray(minutes, np.float32))
        largest = max(self._graphs)
        parts = [
            self._run_part([item[start : start + largest] for item in inputs])
            for start in range(0, max(len(windows), 1), largest)
        ]
        names = [output.name for output in self.contract.outputs]
        return dict(zip(names, map(np.concatenate, zip(*parts, strict=True)), strict=True))

    def run_batch(
        self, inputs: Sequence[NDArray[np.float32]], options: ort.RunOptions | None = None
    ) -> list[NDArray[np.float32]]:
        """Answer as many rows as a frozen batch size; the outputs in the contract's order.

        inputs: windows, and minutes where the contract has a time zone. options: setting its
        `terminate` from another thread ends the run, which then raises.
        """
        names = [output.name for output in self.contract.outputs]
        feed = dict(zip(INPUTS, inputs, strict=False))
        outputs: list[NDArray[np.float32]] = self._graphs[len(inputs[0])].run(names, feed, options)
        return outputs

    def golden_input(self) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """The windows of the golden cases, and their minutes where the contract has a time zone."""
        return golden_input(self.contract, self._folder.golden)

    def check_golden(self) -> None:
        """Answer the golden cases, one by one and together; with the halves too, if there are any.

        Raises:
            ArtefactError: an answer is further than its output's tolerance from the golden one, or
                the halves' answer from the whole graph's.
        """
        golden = self._folder.golden
        windows, minutes = self.golden_input()
        singly = [
            self.run(windows[row : row + 1], None if minutes is None else minutes[row : row + 1])
            for row in range(len(windows))
        ]
        together = self.run(windows, minutes)
        for output in self.contract.outputs:
            field = f"{self._folder.title}/golden.json {output.name}"
            try:
                expected = np.asarray(golden.outputs.get(output.name, []), np.float64)
            except (TypeError, ValueError) as error:
                shape = (golden.rows, *output.shape)
                raise ArtefactError(field, f"numbers of shape {shape}", error) from error
            if expected.shape != (golden.rows, *output.shape):
                raise ArtefactError(field, (golden.rows, *output.shape), expected.shape)
            for got in (
                together[output.name],
                np.concatenate([one[output.name] for one in singly]),
            ):
                worst = float(np.max(np.abs(got - expected)))
                if not worst <= output.tolerance:
                    raise ArtefactError(
                        field, f"within {output.tolerance}", f"{worst} off", reason="GOLDEN"
                    )
        if halves := self.open_halves():
            halves.check(windows, together)

    def _run_part(self, inputs: list[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        count = len(inputs[0])
        size = min(size for size in self._graphs if size >= count)
        if count < size:
            inputs = [_fill_up(item, size) for item in inputs]
        return [output[:count] for output in self.run_batch(inputs)]


def _fill_up(rows: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    whole = np.zeros((size, *rows.shape[1:]), np.float32)
    whole[: len(rows)] = rows
    return whole


def open_session(path: Path) -> Session:
    """Load a model folder, check everything in it and answer its golden cases.

    Raises:
        ArtefactError: a file is missing or altered, the contract and the graphs do not fit each
            other, or the golden answers are not reproduced.
    """
    session = Session(read_folder(path))
    session.check_golden()
    return session


def _read_contract(title: str, graphs: dict[int, ort.InferenceSession]) -> tuple[str, Contract]:
    """The contract in the graphs' metadata, which must be the same in all of them."""
    texts = {size: read_metadata(graph) for size, graph in graphs.items()}
    first_size, first = next(iter(texts.items()))
    for size, text in texts.items():
        if text is None:
            raise ArtefactError(f"{title}/batch-{size}.onnx", f"metadata {CONTRACT_KEY}", "none")
        if text != first:
            expected = f"the contract of batch-{first_size}.onnx"
            raise ArtefactError(f"{title}/batch-{size}.onnx contract", expected, "another")
    contract = Contract.from_json(str(first))
    if sorted(contract.batch_sizes) != sorted(graphs):
        raise ArtefactError(f"{title} graphs", sorted(contract.batch_sizes), sorted(graphs))
    check_parts(contract)
    return str(first), contract


def _check_shapes(field: str, graph: ort.InferenceSession, contract: Contract, size: int) -> None:
    """Names, types and shapes of the graph's inputs and outputs are those of the contract."""
    shape = (size, contract.sequence, len(contract.channels), contract.window)
    inputs: dict[str, tuple[int, ...]] = {INPUTS[0]: shape}
    if contract.time_zone is not None:
        inputs[INPUTS[1]] = (size,)
    check_inputs(field, graph, inputs)
    check_outputs(field, graph, {item.name: (size, *item.shape) for item in contract.outputs})

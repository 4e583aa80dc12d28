"""Encoder and head of a model, whose composition is the whole: see `wearcast.signals.halves`."""

from collections.abc import Mapping, Sequence

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from wearcast.serving.folder import ModelFolder
from wearcast.serving.graph import check_inputs, check_outputs, open_graph, read_metadata
from wearcast.signals.contract import Contract
from wearcast.signals.errors import ArtefactError
from wearcast.signals.halves import ENCODER, FEATURES, HEAD, SNAPSHOTS, TOLERANCE

Graphs = Mapping[int, ort.InferenceSession]


class Halves:
    """Both at all batch sizes of the contract, on the thread that calls them.

    features: how many numbers the encoder makes of a block.
    """

    def __init__(
        self, title: str, contract: Contract, encoders: Graphs, heads: Graphs, features: int
    ) -> None:
        self.contract = contract
        self.features = features
        self._title = title
        self._encoders = encoders
        self._heads = heads

    def encode(
        self, snapshots: NDArray[np.float32], options: ort.RunOptions | None = None
    ) -> NDArray[np.float32]:
        """Features (N, features) of blocks (N, channels, window), N a batch size of the contract.

        options: as for `Session.run_batch`.
        """
        graph = self._encoders[len(snapshots)]
        (features,) = graph.run([FEATURES], {SNAPSHOTS: snapshots}, options)
        encoded: NDArray[np.float32] = features
        return encoded

    def answer(
        self, features: NDArray[np.float32], options: ort.RunOptions | None = None
    ) -> list[NDArray[np.float32]]:
        """The contract's outputs for features (N, sequence, features), N one of its batch sizes."""
        names = [output.name for output in self.contract.outputs]
        outputs: list[NDArray[np.float32]] = self._heads[len(features)].run(
            names, {FEATURES: features}, options
        )
        return outputs

    def check(
        self, windows: NDArray[np.float32], expected: Mapping[str, NDArray[np.float32]]
    ) -> None:
        """Answer windows at each batch size as the whole graph has answered them.

        Raises:
            ArtefactError: an answer is too far from the whole graph's.
        """
        rows, sequence = windows.shape[:2]
        snapshots = windows.reshape(rows * sequence, *windows.shape[2:])
        for size in self._encoders:
            features = np.concatenate([self.encode(part) for part in _split(snapshots, size)])
            features = features[: len(snapshots)].reshape(rows, sequence, self.features)
            parts = [self.answer(part) for part in _split(features, size)]
            for place, output in enumerate(self.contract.outputs):
                got = np.concatenate([part[place] for part in parts])[:rows]
                wanted = expected[output.name].astype(np.float64)
                # Written so that NaN, which is not within anything, fails too.
                if not (abs(got - wanted) <= TOLERANCE * (1 + abs(wanted))).all():
                    field = f"{self._title}/{ENCODER}-{size}.onnx and {HEAD}-{size}.onnx"
                    worst = float(np.max(abs(got - wanted)))
                    text = f"{output.name} within {TOLERANCE:g} of the whole graph's"
                    raise ArtefactError(field, text, f"{worst} off", reason="HALVES")


def open_halves(folder: ModelFolder, contract: Contract, contract_json: str) -> Halves | None:
    """The halves in a folder, beside whole graphs with that contract; None: there are none.

    Raises:
        ArtefactError: one is missing, of another model, or of shapes that don't fit each other.
    """
    if not folder.encoders and not folder.heads:
        return None
    for stem, graphs in ((ENCODER, folder.encoders), (HEAD, folder.heads)):
        if sorted(graphs) != sorted(contract.batch_sizes):
            field = f"{folder.title} {stem}-N.onnx"
            raise ArtefactError(field, sorted(contract.batch_sizes), sorted(graphs))
    if contract.partial or contract.time_zone is not None:
        # There, blocks before a gap count as missing though they are known; the head has no clock.
        expected = "none where windows may be partial, or the model looks at the clock"
        raise ArtefactError(f"{folder.title} {ENCODER}-N.onnx", expected, sorted(folder.encoders))
    encoders = _open(folder, ENCODER, folder.encoders, contract_json)
    heads = _open(folder, HEAD, folder.heads, contract_json)
    features = _count_features(folder.title, encoders)
    block = (len(contract.channels), contract.window)
    for size in encoders:
        field = f"{folder.title}/{ENCODER}-{size}.onnx"
        check_inputs(field, encoders[size], {SNAPSHOTS: (size, *block)})
        check_outputs(field, encoders[size], {FEATURES: (size, features)})
        field = f"{folder.title}/{HEAD}-{size}.onnx"
        check_inputs(field, heads[size], {FEATURES: (size, contract.sequence, features)})
        check_outputs(
            field, heads[size], {item.name: (size, *item.shape) for item in contract.outputs}
        )
    return Halves(folder.title, contract, encoders, heads, features)


def _open(
    folder: ModelFolder, stem: str, contents: Mapping[int, bytes], contract_json: str
) -> dict[int, ort.InferenceSession]:
    graphs = {}
    for size, content in contents.items():
        field = f"{folder.title}/{stem}-{size}.onnx"
        graphs[size] = open_graph(field, content)
        if read_metadata(graphs[size]) != contract_json:
            raise ArtefactError(f"{field} contract", "that of the whole graph", "another or none")
    return graphs


def _count_features(title: str, encoders: Graphs) -> int:
    """How many numbers the smallest encoder makes of a block; the others must give as many."""
    size, graph = next(iter(encoders.items()))
    shape = graph.get_outputs()[0].shape
    if len(shape) != 2 or not isinstance(shape[1], int) or shape[1] < 1:  # noqa: PLR2004
        expected = f"{FEATURES} ({size}, F)"
        raise ArtefactError(f"{title}/{ENCODER}-{size}.onnx outputs", expected, shape)
    return shape[1]


def _split(rows: NDArray[np.float32], size: int) -> Sequence[NDArray[np.float32]]:
    """Parts of `size` rows, the last one filled up with zeros."""
    padding = np.zeros((-len(rows) % size, *rows.shape[1:]), np.float32)
    return np.split(np.concatenate([rows, padding]), (len(rows) + len(padding)) // size)

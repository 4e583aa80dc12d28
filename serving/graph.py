"""One ONNX graph in ONNX Runtime, and whether it takes and gives what it should."""

import re
from collections.abc import Mapping

import onnxruntime as ort

from wearcast.signals.contract import CONTRACT_KEY
from wearcast.signals.errors import ArtefactError

_FLOAT32 = "tensor(float)"
# Where in its sources ONNX Runtime raised an error.
_PLACES = re.compile(r"\S+\.(?:cc|h):\d+ (?:[^()]*\(.*?\) )?")
# By name, in order.
Shapes = Mapping[str, tuple[int, ...]]


def open_graph(field: str, content: bytes) -> ort.InferenceSession:
    """A graph for one thread; `field` is what errors call it.

    Raises:
        ArtefactError: ONNX Runtime does not take it.
    """
    options = ort.SessionOptions()
    # One thread a session: several one-thread sessions beat one with several threads here.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Not guessed from the bytes: into the other format no check looks.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    options.log_severity_level = 3
    try:
        return ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime raises many kinds, with no base but Exception
        got = _PLACES.sub("", str(error)).strip()
        raise ArtefactError(field, "an ONNX graph", got) from error


def read_metadata(graph: ort.InferenceSession) -> str | None:
    """The contract in a graph's metadata, as it stands there; None: there is none."""
    text: str | None = graph.get_modelmeta().custom_metadata_map.get(CONTRACT_KEY)
    return text


def check_inputs(field: str, graph: ort.InferenceSession, shapes: Shapes) -> None:
    """Inputs have these names and shapes, in this order, and are float32.

    Raises:
        ArtefactError: they don't.
    """
    _check(f"{field} inputs", graph.get_inputs(), shapes)


def check_outputs(field: str, graph: ort.InferenceSession, shapes: Shapes) -> None:
    """Outputs have these names and shapes, in this order, and are float32.

    Raises:
        ArtefactError: they don't.
    """
    _check(f"{field} outputs", graph.get_outputs(), shapes)


def _check(field: str, arguments: list[ort.NodeArg], shapes: Shapes) -> None:
    wanted = [(name, _FLOAT32, list(shape)) for name, shape in shapes.items()]
    got = [(item.name, item.type, list(item.shape)) for item in arguments]
    if got != wanted:
        raise ArtefactError(field, wanted, got)

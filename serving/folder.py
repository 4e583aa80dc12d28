"""A model folder on disk: every file is there, and is the file that export wrote."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from wearcast.signals.errors import ArtefactError
from wearcast.signals.golden import Golden

SUMS = "SHA256SUMS"
WEIGHTS = "weights.pth"
_GRAPH = re.compile(r"batch-([1-9][0-9]*)\.onnx")


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """What serving needs of a model folder: ONNX graphs by batch size, and the golden cases.

    weights_sha256: of the weights they were made from; None where the folder is without.
    """

    path: Path
    graphs: dict[int, bytes]
    golden: Golden
    weights_sha256: str | None


def read_folder(path: Path) -> ModelFolder:
    """Read a model folder and check it against its SHA256SUMS.

    Raises:
        ArtefactError: a file is missing, unlisted or differs from its hash; there is no graph.
    """
    graphs = {}
    golden = None
    sums = _read_sums(path)
    for name, expected in sums.items():
        content = _read(path / name)
        got = hashlib.sha256(content).hexdigest()
        if got != expected:
            raise ArtefactError(str(path / name), f"SHA-256 {expected}", got, reason="HASH")
        if match := _GRAPH.fullmatch(name):
            graphs[int(match[1])] = content
        elif name == "golden.json":
            golden = Golden.from_json(content.decode(errors="replace"))
    if not graphs:
        raise ArtefactError(f"{path}/{SUMS}", "batch-N.onnx listed", "none")
    if golden is None:
        raise ArtefactError(f"{path}/{SUMS}", "golden.json listed", "nothing of that name")
    unlisted = {item.name for item in path.glob("batch-*.onnx")} - {
        f"batch-{size}.onnx" for size in graphs
    }
    if unlisted:
        raise ArtefactError(f"{path}/{SUMS}", "every graph listed", f"not {min(unlisted)}")
    return ModelFolder(path, dict(sorted(graphs.items())), golden, sums.get(WEIGHTS))


def _read_sums(path: Path) -> dict[str, str]:
    """Hashes by file name, in the format of sha256sum."""
    sums = {}
    for line in _read(path / SUMS).decode(errors="replace").splitlines():
        digest, separator, name = line.partition("  ")
        if not re.fullmatch("[0-9a-f]{64}", digest) or not separator or Path(name).name != name:
            raise ArtefactError(f"{path}/{SUMS}", "lines of 'HEX  NAME'", repr(line))
        sums[name] = digest
    return sums


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ArtefactError(str(path), "a readable file", error.strerror) from error

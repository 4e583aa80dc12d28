"""A model folder on disk: every file is there, and is the file that export wrote.

Errors name files by model and version: a client may get to read them, and where the models lie is
none of its business.
"""

import errno
import hashlib
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

import wearcast
from wearcast.serving.security.graphs import check_self_contained
from wearcast.signals.errors import ArtefactError
from wearcast.signals.golden import Golden
from wearcast.signals.halves import ENCODER, HEAD

SUMS = "SHA256SUMS"
WEIGHTS = "weights.pth"
_PACKAGE = Path(wearcast.__file__).parent
# Not on Windows. A link is no file of the folder; to open a pipe must not wait for its writer.
_FLAGS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_GRAPH = re.compile(r"(batch|encoder|head)-([1-9][0-9]*)\.onnx")


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """What serving needs of a model folder: ONNX graphs by batch size, and the golden cases.

    encoders, heads: the two halves of the graphs, where the model has them, else empty.
    weights_sha256: of the weights they were made from; None where the folder is without.
    """

    path: Path
    graphs: dict[int, bytes]
    encoders: dict[int, bytes]
    heads: dict[int, bytes]
    golden: Golden
    weights_sha256: str | None

    @property
    def title(self) -> str:
        """NAME/VERSION, for errors."""
        return title_of(self.path)


def title_of(path: Path) -> str:
    """What errors call a model folder, or a file in one.

    >>> title_of(Path("/srv/models/tiny/1"))
    'tiny/1'
    """
    return "/".join(path.absolute().parts[-2:])


def read_folder(path: Path) -> ModelFolder:
    """Read a model folder and check it against its SHA256SUMS.

    Raises:
        ArtefactError: a file is missing, unlisted, a link or differs from its hash; there is no
            graph, or one with data outside itself.
    """
    title = title_of(path)
    if path.is_symlink() or path.parent.is_symlink():
        raise ArtefactError(title, "a folder", "a symbolic link", reason="LINK")
    graphs: dict[str, dict[int, bytes]] = {"batch": {}, ENCODER: {}, HEAD: {}}
    golden = None
    sums = _read_sums(path)
    for name, expected in sums.items():
        content = _read(path / name)
        got = hashlib.sha256(content).hexdigest()
        if got != expected:
            raise ArtefactError(f"{title}/{name}", f"SHA-256 {expected}", got, reason="HASH")
        if match := _GRAPH.fullmatch(name):
            check_self_contained(f"{title}/{name}", content)
            graphs[match[1]][int(match[2])] = content
        elif name == "golden.json":
            golden = Golden.from_json(content.decode(errors="replace"))
    if not graphs["batch"]:
        raise ArtefactError(f"{title}/{SUMS}", "batch-N.onnx listed", "none")
    if golden is None:
        raise ArtefactError(f"{title}/{SUMS}", "golden.json listed", "nothing of that name")
    for stem, listed in graphs.items():
        unlisted = {item.name for item in path.glob(f"{stem}-*.onnx")} - {
            f"{stem}-{size}.onnx" for size in listed
        }
        if unlisted:
            raise ArtefactError(f"{title}/{SUMS}", "every graph listed", f"not {min(unlisted)}")
    whole, encoders, heads = (dict(sorted(some.items())) for some in graphs.values())
    return ModelFolder(path, whole, encoders, heads, golden, sums.get(WEIGHTS))


def _read_sums(path: Path) -> dict[str, str]:
    """Hashes by file name, in the format of sha256sum."""
    sums = {}
    for line in _read(path / SUMS).decode(errors="replace").splitlines():
        digest, separator, name = line.partition("  ")
        if not re.fullmatch("[0-9a-f]{64}", digest) or not separator or Path(name).name != name:
            raise ArtefactError(f"{title_of(path)}/{SUMS}", "lines of 'HEX  NAME'", repr(line))
        sums[name] = digest
    return sums


def _read(path: Path) -> bytes:
    """What a file of the folder holds."""
    field = f"{title_of(path.parent)}/{path.name}"
    try:
        with open(path, "rb", opener=_open_itself) as file:
            _check_own(field, path, os.fstat(file.fileno()))
            return file.read()
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise ArtefactError(field, "a file", "a symbolic link", reason="LINK") from error
        raise ArtefactError(field, "a readable file", error.strerror) from error


def _open_itself(path: str, flags: int) -> int:
    return os.open(path, flags | _FLAGS)


def _check_own(field: str, path: Path, status: os.stat_result) -> None:
    """Refuse what could be changed by who may write elsewhere only: under another name, say."""
    if not stat.S_ISREG(status.st_mode):
        raise ArtefactError(field, "a file", "something else", reason="LINK")
    # Installers link the files of a package to those of their cache.
    if status.st_nlink > 1 and not path.absolute().is_relative_to(_PACKAGE):
        got = f"one of {status.st_nlink} hard links"
        raise ArtefactError(field, "a file with one name", got, reason="LINK")

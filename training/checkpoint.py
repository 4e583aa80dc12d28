"""The checkpoint: what training hands to export, one `.pth` file with plain contents.

A dictionary with the keys of `Checkpoint` and `format`; nothing in it is code, and it is read with
`weights_only`, so a file from anywhere can be opened.
"""

import hashlib
import io
import secrets
from pathlib import Path
from typing import Annotated, Any

import msgspec
import torch
from msgspec import Meta
from torch import Tensor, nn

from wearcast.signals.contract import FaultPart, ForecastPart, OutlierPart, Output, RulCalibration
from wearcast.signals.errors import ArtefactError
from wearcast.training.architectures import build

FORMAT = 2


class Checkpoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A trained model and all that export needs to know about it.

    kind: what it answers: rul, forecast, outlier or fault; the part of that name says how.
    channels: pairs (name, unit). window: samples a channel and block. hop_s: seconds from one block
    to the next. sequence: blocks in a window. center, scale: for each channel a typical reading and
    spread in its unit, which golden cases are drawn with. time_zone, every_s, missing, partial: as
    in `wearcast.signals.contract.Contract`. training: a summary for people.
    """

    kind: str
    architecture: str
    config: dict[str, Any]
    state_dict: dict[str, Any]
    channels: Annotated[tuple[tuple[str, str], ...], Meta(min_length=1)]
    sample_rate_hz: Annotated[float, Meta(gt=0)]
    window: Annotated[int, Meta(ge=1)]
    hop_s: Annotated[float, Meta(gt=0)]
    sequence: Annotated[int, Meta(ge=1)]
    outputs: Annotated[tuple[Output, ...], Meta(min_length=1)]
    center: tuple[float, ...]
    scale: tuple[float, ...]
    training: dict[str, Any]
    time_zone: str | None = None
    every_s: Annotated[float, Meta(gt=0)] | None = None
    missing: bool = False
    partial: bool = False
    rul: RulCalibration | None = None
    forecast: ForecastPart | None = None
    outlier: OutlierPart | None = None
    fault: FaultPart | None = None

    def build_model(self) -> nn.Module:
        """The model with these weights, in evaluation mode.

        Raises:
            ArtefactError: architecture or configuration unknown; a tensor missing, unknown, or of
                another shape or type.
        """
        model = build(self.architecture, self.config)
        expected = model.state_dict()
        for name in expected.keys() | self.state_dict.keys():
            _check_tensor(name, expected.get(name), self.state_dict.get(name))
        model.load_state_dict(self.state_dict)
        return model.eval()


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint; `path` holds the old file or the whole new one, never a part.

    Raises:
        ArtefactError: something in it is not plain, so that it could not be read again.
    """
    contents = msgspec.structs.asdict(checkpoint)
    for name in ("outputs", "rul", "forecast", "outlier", "fault"):
        contents[name] = msgspec.to_builtins(contents[name])
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.parent / f".{path.name}-{secrets.token_hex(8)}"
    try:
        # Given a path, torch writes its name into the file; given a file it does not.
        with part.open("wb") as file:
            torch.save({"format": FORMAT, **contents}, file)
        load_checkpoint(part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint; no code in it is run.

    Raises:
        ArtefactError: no file of ours, damaged, of another format, or a key missing, unknown or of
            another type.
    """
    try:
        file = io.BytesIO(path.read_bytes())
    except OSError as error:
        raise ArtefactError(str(path), "a file that can be read", error.strerror) from error
    try:
        contents = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle can raise anything
        got = f"{type(error).__name__} while reading it"
        raise ArtefactError(
            str(path), "a checkpoint: a zip of tensors and plain values", got
        ) from (error)
    if not isinstance(contents, dict):
        raise ArtefactError(str(path), "a dictionary", type(contents).__name__)
    if contents.get("format") != FORMAT:
        raise ArtefactError(f"{path}: format", FORMAT, contents.get("format", "none"))
    del contents["format"]
    try:
        return msgspec.convert(contents, Checkpoint)
    except msgspec.ValidationError as error:
        raise ArtefactError(str(path), "a checkpoint with every key", error) from error


def name_data(checkpoint: Checkpoint, data: str, note: str | None) -> Checkpoint:
    """The checkpoint with the name of its data, and a note about them, in its summary."""
    names = {"data": data} | ({"note": note} if note else {})
    return msgspec.structs.replace(checkpoint, training=names | checkpoint.training)


def hash_file(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_tensor(name: str, expected: Tensor | None, got: object) -> None:
    if expected is None:
        raise ArtefactError("state_dict", "the architecture's tensors", name)
    wanted = _describe(expected)
    if not isinstance(got, Tensor):
        raise ArtefactError(
            f"state_dict.{name}", wanted, "none" if got is None else type(got).__name__
        )
    if _describe(got) != wanted:
        raise ArtefactError(f"state_dict.{name}", wanted, _describe(got))


def _describe(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape)}"

"""Requests as what the engine is asked, checked against the model's contract."""

import re
import time
from collections.abc import Container
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from wearcast.inference import open_inference_pb2 as pb
from wearcast.serving.open_inference.tensors import ROWS, decode_tensor
from wearcast.serving.session import INPUTS
from wearcast.signals.contract import Contract, Output
from wearcast.signals.errors import InputError, NotFoundError

_NAME_LENGTH = 200
_WEEK_MIN = 10_080
_NUMBER = re.compile("[1-9][0-9]{0,8}")
_TIMEOUT = "timeout"


class Asked(NamedTuple):
    """What a request asks of a model.

    values: float32 (rows, sequence, channels, window). minutes: float32 (rows,), of the week, or
    None where the contract has no time zone. outputs: those that are wanted, in their order.
    """

    values: NDArray[np.float32]
    minutes: NDArray[np.float32] | None
    outputs: tuple[Output, ...]


def decode_model(name: str, version: str) -> tuple[str, int, str]:
    """Name, version and label that `Engine.find` takes; version 0: none is said.

    >>> decode_model("rul", "2"), decode_model("rul", "stable"), decode_model("rul", "")
    (('rul', 2, ''), ('rul', 0, 'stable'), ('rul', 0, ''))

    Raises:
        NotFoundError: no model can have that name.
    """
    for field, text in (("model name", name), ("model version", version)):
        if len(text) > _NAME_LENGTH:
            expected = f"at most {_NAME_LENGTH} characters"
            raise NotFoundError(field, expected, f"{len(text)} characters")
    if _NUMBER.fullmatch(version):
        return name, int(version), ""
    return name, 0, version


def list_inputs(contract: Contract) -> dict[str, list[int]]:
    """Shapes of a model's inputs by name, with `ROWS` first."""
    blocks = [ROWS, contract.sequence, len(contract.channels), contract.window]
    if contract.time_zone is None:
        return {INPUTS[0]: blocks}
    return {INPUTS[0]: blocks, INPUTS[1]: [ROWS]}


def decode_request(request: pb.ModelInferRequest, contract: Contract) -> Asked:
    """What a request asks of the model of a contract.

    Raises:
        InputError: an input or output is missing, unknown or there twice; the form of a tensor is
            not the model's; a value is not finite, or missing where it may not be.
    """
    shapes = list_inputs(contract)
    raw = request.raw_input_contents
    if raw and len(raw) != len(request.inputs):
        expected = f"{len(request.inputs)}, one for each input"
        raise InputError("raw_input_contents", expected, len(raw), reason="COUNT")
    tensors: dict[str, NDArray[np.float32]] = {}
    for place, tensor in enumerate(request.inputs):
        field = f"inputs[{place}]"
        _check_name(field, tensor.name, list(shapes), tensors)
        content = raw[place] if raw else None
        tensors[tensor.name] = decode_tensor(field, tensor, content, shapes[tensor.name])
    missing = [name for name in shapes if name not in tensors]
    if missing:
        raise InputError("inputs", f"{', '.join(shapes)}", f"no {missing[0]}", reason="COUNT")
    values, minutes = tensors[INPUTS[0]], tensors.get(INPUTS[1])
    if minutes is not None and len(minutes) != len(values):
        expected = f"{len(values)} rows in {INPUTS[1]}, as in {INPUTS[0]}"
        raise InputError("inputs", expected, len(minutes), reason="SHAPE")
    _check_values(values, contract)
    _check_minutes(minutes)
    return Asked(values, minutes, _decode_outputs(request, contract))


def count_rows(request: pb.ModelInferRequest) -> int:
    """How many rows a request says it has, before anything of it is checked; 0: it says nothing."""
    return max((tensor.shape[0] for tensor in request.inputs if tensor.shape), default=0)


def decode_deadline(request: pb.ModelInferRequest, remaining_s: float | None) -> float | None:
    """Until when the answer is of use, by `time.monotonic`; None: whenever it comes.

    remaining_s: until the call's own deadline; None: it has none.

    Raises:
        InputError: `timeout` is no number of microseconds.
    """
    limits_s = [] if remaining_s is None else [remaining_s]
    if _TIMEOUT in request.parameters:
        parameter = request.parameters[_TIMEOUT]
        kind = parameter.WhichOneof("parameter_choice")
        got = getattr(parameter, kind) if kind in {"int64_param", "uint64_param"} else -1
        if got < 0:
            field, expected = f"parameters.{_TIMEOUT}", "microseconds, 0 or more, as int64_param"
            shown = got if kind == "int64_param" else kind or "nothing"
            raise InputError(field, expected, shown, reason="PARAMETER")
        if got > 0:
            limits_s.append(got / 1e6)
    return time.monotonic() + min(limits_s) if limits_s else None


def _check_name(field: str, name: str, known: list[str], seen: Container[str]) -> None:
    if name not in known:
        expected = f"one of {', '.join(known)}"
        raise InputError(f"{field}.name", expected, repr(name[:40]), reason="NAME")
    if name in seen:
        raise InputError(f"{field}.name", "each name once", f"{name} again", reason="NAME")


def _decode_outputs(request: pb.ModelInferRequest, contract: Contract) -> tuple[Output, ...]:
    if not request.outputs:
        return contract.outputs
    known = {output.name: output for output in contract.outputs}
    wanted: dict[str, Output] = {}
    for place, tensor in enumerate(request.outputs):
        field = f"outputs[{place}]"
        _check_name(field, tensor.name, list(known), wanted)
        for name in tensor.parameters:
            if name.startswith(("shared_memory", "classification")):
                expected = "an answer as raw elements"
                raise InputError(f"{field}.parameters", expected, name[:40], reason="PARAMETER")
        wanted[tensor.name] = known[tensor.name]
    return tuple(wanted.values())


def _check_values(values: NDArray[np.float32], contract: Contract) -> None:
    good = np.isfinite(values)
    if good.all():
        return
    if contract.missing:
        good |= np.isnan(values)
        if good.all():
            return
    row, block, channel, sample = np.argwhere(~good)[0]
    raise InputError(
        f"{INPUTS[0]}[{row}, {block}, {contract.channels[channel].name}, {sample}]",
        "a finite number, or NaN for none" if contract.missing else "a finite number",
        values[row, block, channel, sample],
        reason="NOT_FINITE",
    )


def _check_minutes(minutes: NDArray[np.float32] | None) -> None:
    if minutes is None:
        return
    good = (minutes >= 0) & (minutes < _WEEK_MIN)  # False for NaN
    if not good.all():
        row = np.flatnonzero(~good)[0]
        expected = f"minutes since Monday, 0:00, from 0 to below {_WEEK_MIN}"
        raise InputError(f"{INPUTS[1]}[{row}]", expected, minutes[row], reason="TIME")

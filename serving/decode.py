"""Messages of clients as plain values, checked as far as the protocol goes.

What the model's contract demands of a block beyond its form is checked by `signals.series`.
"""

from collections.abc import Iterator

import numpy as np
from google.protobuf.timestamp_pb2 import Timestamp

from wearcast.signals.contract import Contract
from wearcast.signals.errors import InputError, MismatchError
from wearcast.signals.series import Block, check_sequence
from wearcast.v1 import machine_health_pb2, samples_pb2

_ASSET_LENGTH = 200
_BYTES = 4
_NANOS = 1_000_000_000


def check_asset(asset: str) -> str:
    """The name of an asset: 1 to 200 printable characters.

    >>> check_asset("Bearing1_1")
    'Bearing1_1'

    Raises:
        InputError: it is not.
    """
    if not 1 <= len(asset) <= _ASSET_LENGTH or not asset.isprintable():
        got = f"{len(asset)} characters: {asset[:40]!r}"
        expected = f"1 to {_ASSET_LENGTH} printable characters"
        raise InputError("start.asset", expected, got, reason="ASSET")
    return asset


def decode_known(
    field: str, message: machine_health_pb2.MonitorStart | machine_health_pb2.FurtherModel
) -> int:
    """A sequence number that a client may give, `received_sequence` or such; -1: it gave none.

    Raises:
        InputError: no block can have that number.
    """
    if not message.HasField(field):
        return -1
    return check_sequence(f"start.{field}", getattr(message, field))


def decode_blocks(batch: samples_pb2.BlockBatch, contract: Contract) -> Iterator[Block]:
    """The blocks of a message, each checked when it is asked for.

    Raises:
        InputError: there is no block, or one has no usable start time or format.
        MismatchError: the number of channels or samples is not the contract's.
    """
    if not batch.blocks:
        raise InputError("blocks", "one block or more", "none", reason="EMPTY")
    return (_decode_block(block, contract) for block in batch.blocks)


def _decode_block(block: samples_pb2.Block, contract: Contract) -> Block:
    field = f"blocks[{block.sequence}]"
    if block.format != samples_pb2.SAMPLE_FORMAT_FLOAT32_LE:
        expected = f"{samples_pb2.SAMPLE_FORMAT_FLOAT32_LE} (SAMPLE_FORMAT_FLOAT32_LE)"
        raise InputError(f"{field}.format", expected, block.format, reason="FORMAT")
    channels, window = len(contract.channels), contract.window
    if block.channels != channels:
        names = ", ".join(channel.name for channel in contract.channels)
        raise MismatchError(
            f"{field}.channels", f"{channels} ({names})", block.channels, reason="CHANNELS"
        )
    if len(block.data) != channels * window * _BYTES:
        raise MismatchError(
            f"{field}.data",
            f"{channels} x {window} samples ({channels * window * _BYTES} bytes)",
            f"{len(block.data) / channels / _BYTES:g} samples a channel ({len(block.data)} bytes)",
            reason="LENGTH",
        )
    if not block.HasField("start_time"):
        raise InputError(f"{field}.start_time", "a time", "none", reason="TIME")
    for flag in block.quality:
        if flag != samples_pb2.QUALITY_FLAG_FILLED:
            expected = f"nothing but {samples_pb2.QUALITY_FLAG_FILLED} (QUALITY_FLAG_FILLED)"
            raise InputError(f"{field}.quality", expected, flag, reason="QUALITY")
    return Block(
        sequence=block.sequence,
        start_us=_to_us(f"{field}.start_time", block.start_time),
        sample_rate_hz=block.sample_rate_hz,
        values=np.frombuffer(block.data, "<f4").reshape(channels, window),
        after_gap=block.after_gap,
        filled=bool(block.quality),
    )


def _to_us(field: str, stamp: Timestamp) -> int:
    if not 0 <= stamp.nanos < _NANOS:
        raise InputError(f"{field}.nanos", "0 to 999999999", stamp.nanos, reason="TIME")
    return int(stamp.seconds * 1_000_000 + stamp.nanos // 1_000)

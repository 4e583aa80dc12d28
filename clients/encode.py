"""From plain values to the messages a client sends."""

import numpy as np
from google.protobuf.timestamp_pb2 import Timestamp

from wearcast.signals.series import Block
from wearcast.v1 import samples_pb2


def encode_block(block: Block) -> samples_pb2.Block:
    """The message of a block; its numbers travel as little-endian float32."""
    channels = block.values.shape[0] if block.values.ndim == 2 else 1  # noqa: PLR2004
    seconds, microseconds = divmod(block.start_us, 1_000_000)
    return samples_pb2.Block(
        sequence=block.sequence,
        start_time=Timestamp(seconds=seconds, nanos=microseconds * 1000),
        sample_rate_hz=block.sample_rate_hz,
        channels=channels,
        format=samples_pb2.SAMPLE_FORMAT_FLOAT32_LE,
        data=np.ascontiguousarray(block.values, dtype="<f4").tobytes(),
        after_gap=block.after_gap,
        quality=[samples_pb2.QUALITY_FLAG_FILLED] if block.filled else [],
    )

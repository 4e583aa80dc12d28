"""From plain values to the messages a client sends."""

import numpy as np
from google.protobuf.timestamp_pb2 import Timestamp

from wearcast.signals.alarm_rules import AlarmRules, Tag
from wearcast.signals.errors import InputError
from wearcast.signals.series import Block
from wearcast.v1 import alert_pb2, samples_pb2


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


def encode_rules(rules: AlarmRules) -> alert_pb2.AlarmRules:
    """The message of rules of alarms; what chatters and floods is not told on a stream.

    Raises:
        InputError: they latch, and nobody can reset an alarm over a stream.
    """
    if rules.latching:
        raise InputError("alarms.latching", "false on a stream", "true", reason="ALARMS")
    return alert_pb2.AlarmRules(
        from_stage=rules.from_stage,
        on_delay_s=rules.on_delay_s,
        off_delay_s=rules.off_delay_s,
        deadband=rules.deadband,
    )


def encode_tag_rules(text: str, rules: AlarmRules) -> alert_pb2.TagAlarmRules:
    """The message of rules of one tag, given by its text.

    Raises:
        InputError: the text is no tag, or the rules latch.
    """
    detector, channel = Tag.parse(text)
    return alert_pb2.TagAlarmRules(detector=detector, channel=channel, rules=encode_rules(rules))

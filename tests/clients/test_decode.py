"""What a server sends, also a newer one than the client."""

import pytest
from tiny import tiny_contract, wearing_block

from wearcast.clients.decode import Notice, decode_estimate, decode_notice
from wearcast.clients.results import make_row
from wearcast.serving.encode import encode_estimate
from wearcast.signals.errors import MismatchError
from wearcast.signals.estimate import Estimate, Quality
from wearcast.signals.series import Series
from wearcast.v1 import estimate_pb2, machine_health_pb2


def _answer(*fractions: float) -> Estimate:
    """The newest of some answers."""
    series = Series(tiny_contract())
    windows = [series.push(wearing_block(number, 60)) for number in range(len(fractions) + 2)]
    answers = [
        series.answer(window, fraction)
        for window, fraction in zip(windows[2:], fractions, strict=True)
        if window is not None
    ]
    return answers[-1]


def test_unknown_quality_flags_keep_their_number() -> None:
    message = encode_estimate(_answer(0.1, 0.2))
    message.quality.extend([2, 99])
    estimate = decode_estimate(message)
    assert estimate.quality == (Quality.CLOCK_JUMP, "QUALITY_FLAG_99")
    assert make_row(estimate, tiny_contract())["quality"] == "CLOCK_JUMP QUALITY_FLAG_99"


def test_unknown_notice_code_keeps_its_number() -> None:
    message = machine_health_pb2.Notice(code=77, sequence=3, text="new")
    assert decode_notice(message) == Notice("NOTICE_CODE_77", 3, "new")


def test_answer_of_an_unknown_kind_is_named() -> None:
    unknown_band = encode_estimate(_answer(0.1, 0.2))
    unknown_band.remaining_life.band = 9
    for message, text in (
        (estimate_pb2.Estimate(sequence=5), "UNSPECIFIED"),
        (unknown_band, "LIFE_BAND_9"),
    ):
        with pytest.raises(MismatchError, match=rf"estimates\[\d\]: expected an answer .*{text}"):
            decode_estimate(message)

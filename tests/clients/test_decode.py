"""What a server sends, also a newer one than the client."""

import json
from dataclasses import replace

import pytest
from tiny import START_US, outputs_of, tiny_contract, wearing_block

from wearcast.clients.decode import Notice, decode_estimates, decode_notice
from wearcast.clients.results import Result, make_json
from wearcast.clients.rows import make_rows
from wearcast.serving.encode import encode_estimate, encode_estimates
from wearcast.signals.errors import MismatchError
from wearcast.signals.estimate import CrossingState, Estimate, Quality
from wearcast.signals.series import Series
from wearcast.v1 import estimate_pb2, machine_health_pb2

END_OF_9998_US = 253_370_764_799_999_999


def _answer(*fractions: float) -> Estimate:
    """The newest of some answers."""
    series = Series(tiny_contract())
    windows = [series.push(wearing_block(number, 60)) for number in range(len(fractions) + 2)]
    answers = [
        series.answer(window, outputs_of(fraction))
        for window, fraction in zip(windows[2:], fractions, strict=True)
        if window is not None
    ]
    return answers[-1]


def decode(message: estimate_pb2.Estimate) -> Estimate:
    (estimate,) = decode_estimates(machine_health_pb2.EstimateBatch(estimates=[message]))
    return estimate


@pytest.mark.parametrize("step", [1e-9, 1e-13, 1e-30, 1.5e-45])
@pytest.mark.parametrize("end_us", [START_US, END_OF_9998_US])
def test_far_crossing_travels_whole_and_has_no_time_after_9999(step: float, end_us: int) -> None:
    estimate = replace(_answer(*(step * n for n in range(20))), window_end_us=end_us)
    crossing = estimate.remaining_life.line.crossings[1]
    assert crossing.state is CrossingState.AHEAD
    assert crossing.remaining_s == pytest.approx(10 / step, rel=1e-6)
    batch = machine_health_pb2.EstimateBatch(**encode_estimates([estimate], 1))
    (decoded,) = decode_estimates(batch)
    assert decoded == estimate
    text = make_json(Result("pump", tiny_contract(), [decoded]))
    (row,) = json.loads(text, parse_constant=pytest.fail)["estimates"]
    assert row["line_reaches_1.0"] == "AHEAD"
    time = row["line_reaches_1.0_at"]
    assert time is None or time.startswith("2340-10-04T15:56:50")
    assert (time is None) == (step < 1e-9 or end_us == END_OF_9998_US)


def test_unknown_quality_flags_keep_their_number() -> None:
    message = encode_estimate(_answer(0.1, 0.2))
    message.quality.extend([2, 99])
    estimate = decode(message)
    assert estimate.quality == (Quality.CLOCK_JUMP, "QUALITY_FLAG_99")
    assert make_rows(estimate, tiny_contract())[0]["quality"] == "CLOCK_JUMP QUALITY_FLAG_99"


def test_unknown_notice_code_keeps_its_number() -> None:
    message = machine_health_pb2.Notice(code=77, sequence=3, text="new")
    assert decode_notice(message) == Notice("NOTICE_CODE_77", 3, "new")


def test_answer_of_an_unknown_kind_is_named() -> None:
    unknown_band = encode_estimate(_answer(0.1, 0.2))
    unknown_band.remaining_life.band = 9
    for message, text in (
        (estimate_pb2.Estimate(sequence=5), "nothing"),
        (unknown_band, "LIFE_BAND_9"),
    ):
        with pytest.raises(MismatchError, match=rf"estimates\[\d\]: expected an answer .*{text}"):
            decode(message)

from dataclasses import replace

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny import tiny_contract

from wearcast.signals.contract import Contract
from wearcast.signals.errors import InputError, MismatchError
from wearcast.signals.vibration.cut import cut_blocks
from wearcast.signals.vibration.vibration import Vibration


def contract_of(window: int = 8, sequence: int = 2, hop_s: float = 0.008) -> Contract:
    return msgspec.structs.replace(
        tiny_contract(), sample_rate_hz=1000.0, window=window, sequence=sequence, hop_s=hop_s
    )


def recording_of(samples: int, channels: tuple[str, ...] = ("h", "v")) -> Vibration:
    values = np.random.default_rng(samples).standard_normal((len(channels), samples))
    units = ("g",) * len(channels)
    return Vibration("pump", channels, units, 1000.0, values.astype(np.float32))


@given(samples=st.integers(1, 200), window=st.integers(1, 16), hop=st.integers(1, 24))
def test_blocks_are_slices_a_hop_apart_and_only_the_rest_is_left(
    samples: int, window: int, hop: int
) -> None:
    recording = recording_of(samples)
    contract = contract_of(window, 1, hop / 1000)
    if samples < window:
        with pytest.raises(InputError):
            cut_blocks(recording, contract)
        return
    blocks = list(cut_blocks(recording, contract, start_us=5_000))
    firsts = range(0, samples - window + 1, hop)
    assert [block.sequence for block in blocks] == list(range(len(firsts)))
    assert [block.start_us for block in blocks] == [5_000 + 1000 * first for first in firsts]
    for block, first in zip(blocks, firsts, strict=True):
        np.testing.assert_array_equal(block.values, recording.values[:, first : first + window])


def test_channels_are_picked_by_name() -> None:
    recording = recording_of(40, ("v", "key", "h"))
    blocks = list(cut_blocks(recording, contract_of()))
    assert len(blocks) == 5
    whole = np.concatenate([block.values for block in blocks], axis=1)
    np.testing.assert_array_equal(whole, recording.values[[2, 0]])


def test_a_missing_sensor_is_named() -> None:
    with pytest.raises(MismatchError, match=r"expected h, v, got h; missing sensor v") as raised:
        cut_blocks(recording_of(40, ("h",)), contract_of())
    assert raised.value.reason == "CHANNELS"


def test_another_rate_is_refused_and_the_way_out_told() -> None:
    recording = replace(recording_of(40), sample_rate_hz=1020.0)
    with pytest.raises(MismatchError, match=r"expected 1000, got 1020 .*--resample") as raised:
        cut_blocks(recording, contract_of())
    assert raised.value.reason == "RATE"


def test_another_unit_is_refused() -> None:
    recording = replace(recording_of(40), units=("g", "V"))
    with pytest.raises(MismatchError, match=r"unit of v: expected 'g', got 'V'"):
        cut_blocks(recording, contract_of())


def test_too_short_for_an_answer_is_refused() -> None:
    assert len(list(cut_blocks(recording_of(16), contract_of()))) == 2
    with pytest.raises(InputError, match="pump: samples: expected 16 or more, got 15"):
        cut_blocks(recording_of(15), contract_of())
    partial = msgspec.structs.replace(contract_of(), partial=True)
    assert len(list(cut_blocks(recording_of(15), partial))) == 1

from dataclasses import replace

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import naive_windows
from tiny import HOP_US, START_US, mean_abs_fraction, outputs_of, tiny_contract

from wearcast.signals.contract import Contract
from wearcast.signals.errors import FieldError, InputError, MismatchError
from wearcast.signals.estimate import Estimate, Quality
from wearcast.signals.series import Block, Series, Window

LAST_SAMPLE_US = round(63 / 25600 * 1e6)


HOUR_US = 3_600_000_000


def contract_of(sequence: int) -> Contract:
    return msgspec.structs.replace(tiny_contract(), sequence=sequence)


def block_of(number: int, *, after_gap: bool = False, jump_us: int = 0) -> Block:
    values = np.random.RandomState(number % 2**32).uniform(-1, 1, (2, 64)).astype(np.float32)
    return Block(number, START_US + number * HOP_US + jump_us, 25600.0, values, after_gap)


def blocks_of(runs: list[tuple[int, int]]) -> list[Block]:
    """Blocks of runs given as (blocks lost before it, blocks in it)."""
    blocks: list[Block] = []
    number = 0
    for lost, length in runs:
        number += lost
        for count in range(length):
            blocks.append(block_of(number, after_gap=count == 0 and lost > 0))
            number += 1
    return blocks


def push_all(series: Series, blocks: list[Block]) -> list[Window]:
    return [window for block in blocks if (window := series.push(block)) is not None]


def answer_all(series: Series, blocks: list[Block]) -> list[Estimate]:
    return [
        series.answer(window, outputs_of(mean_abs_fraction(window.values[np.newaxis])[0]))
        for window in push_all(series, blocks)
    ]


RUNS = st.tuples(
    st.tuples(st.integers(0, 3), st.integers(1, 12)),
    st.lists(st.tuples(st.integers(1, 5), st.integers(1, 9)), max_size=3),
).map(lambda parts: [parts[0], *parts[1]])


@given(length=st.integers(1, 30), sequence=st.integers(1, 8))
def test_n_blocks_give_n_minus_l_plus_1_windows(length: int, sequence: int) -> None:
    windows = push_all(Series(contract_of(sequence)), blocks_of([(0, length)]))
    assert len(windows) == max(0, length - sequence + 1)
    assert [window.sequence for window in windows] == list(range(sequence - 1, length))


@given(runs=RUNS, sequence=st.integers(1, 6))
def test_windows_equal_the_oracle(runs: list[tuple[int, int]], sequence: int) -> None:
    blocks = blocks_of(runs)
    windows = push_all(Series(contract_of(sequence)), blocks)
    expected = naive_windows(blocks, sequence)
    assert len(windows) == len(expected)
    for window, members in zip(windows, expected, strict=True):
        last = members[-1]
        assert window.sequence == last.sequence
        assert window.end_us == last.start_us + LAST_SAMPLE_US
        assert window.values.dtype == np.float32
        np.testing.assert_array_equal(window.values, [member.values for member in members])
        assert (Quality.AFTER_GAP in window.quality) == members[0].after_gap


@settings(max_examples=60)
@given(runs=RUNS, sequence=st.integers(1, 5), data=st.data())
def test_a_resumed_series_answers_as_an_undisturbed_one(
    runs: list[tuple[int, int]], sequence: int, data: st.DataObject
) -> None:
    contract = contract_of(sequence)
    blocks = blocks_of(runs)
    for number in data.draw(st.lists(st.integers(0, len(blocks) - 1), max_size=3)):
        blocks[number:] = [
            replace(block, start_us=block.start_us + HOUR_US) for block in blocks[number:]
        ]
    undisturbed = answer_all(Series(contract, age_at_start_s=500.0), blocks)
    stored = undisturbed[: data.draw(st.integers(0, len(undisturbed)))]
    series = Series(contract, age_at_start_s=500.0)
    assert contract.rul is not None
    series.resume(stored[-contract.rul.line_points :])
    again = [block for block in blocks if block.sequence >= series.next_sequence]
    assert [*stored, *answer_all(series, again)] == undisturbed


def test_more_estimates_than_the_line_holds_resume_alike() -> None:
    contract = contract_of(3)
    blocks = blocks_of([(0, 60)])
    undisturbed = answer_all(Series(contract), blocks)
    for count in (1, 19, 20, 21, 57):
        series = Series(contract)
        series.resume(undisturbed[:count][-20:])
        assert series.next_sequence == max(0, undisturbed[count - 1].sequence - 1)
        assert answer_all(series, blocks[series.next_sequence :]) == undisturbed[count:]


def test_age_counts_blocks_not_the_clock() -> None:
    estimates = answer_all(Series(contract_of(3), age_at_start_s=500.0), blocks_of([(4, 3)]))
    assert [estimate.remaining_life.age_s for estimate in estimates] == [570.0]


def test_a_clock_jump_is_flagged_once_and_kept() -> None:
    blocks = [block_of(number, jump_us=6_000_000 * (number >= 4)) for number in range(7)]
    windows = push_all(Series(contract_of(2)), blocks)
    flagged = [window.sequence for window in windows if Quality.CLOCK_JUMP in window.quality]
    assert flagged == [4]
    assert windows[3].end_us == blocks[4].start_us + LAST_SAMPLE_US


def test_a_clock_jump_before_an_incomplete_window_flags_the_next_answer() -> None:
    blocks = blocks_of([(0, 5), (4, 2), (3, 4)])
    # Block 10 comes an hour late, and no window ends before block 16.
    late = [replace(block, start_us=block.start_us + HOUR_US) for block in blocks[6:]]
    windows = push_all(Series(contract_of(3)), [*blocks[:6], *late])
    flagged = [window.sequence for window in windows if Quality.CLOCK_JUMP in window.quality]
    assert flagged == [16]


def test_a_clock_jump_within_a_first_window_flags_it() -> None:
    blocks = [block_of(number, jump_us=HOUR_US * (number >= 1)) for number in range(5)]
    windows = push_all(Series(contract_of(3)), blocks)
    assert [window.quality for window in windows] == [(Quality.CLOCK_JUMP,), (), ()]


def test_a_clock_jump_is_flagged_alike_where_only_stored_answers_precede_it() -> None:
    contract = contract_of(3)
    blocks = blocks_of([(0, 5), (4, 4)])
    blocks[5:] = [replace(block, start_us=block.start_us - HOUR_US) for block in blocks[5:]]
    undisturbed = answer_all(Series(contract), blocks)
    series = Series(contract)
    series.resume(undisturbed[:3])
    assert answer_all(series, blocks[5:]) == undisturbed[3:]
    assert undisturbed[3].quality == (Quality.CLOCK_JUMP, Quality.AFTER_GAP)


def test_half_a_hop_is_no_clock_jump() -> None:
    blocks = [block_of(number, jump_us=5_000_000 * (number % 2)) for number in range(6)]
    assert {window.quality for window in push_all(Series(contract_of(2)), blocks)} == {()}


def test_a_constant_channel_is_flagged() -> None:
    blocks = blocks_of([(0, 3)])
    values = blocks[1].values.copy()
    values[1] = 0.25
    blocks[1] = replace(blocks[1], values=values)
    windows = push_all(Series(contract_of(1)), blocks)
    assert [window.quality for window in windows] == [(), (Quality.CONSTANT,), ()]


def spoil(block: Block, value: float) -> Block:
    values = block.values.copy()
    values[1, 5] = value
    return replace(block, values=values)


BAD_BLOCKS = {
    "sequence: expected 3, got 2 again": (block_of(2), "ALREADY_EXISTS"),
    "sequence: expected 3 or more, got 1": (block_of(1), "ABORTED"),
    "sequence: expected 3, or after_gap set, got 4": (block_of(4), "OUT_OF_RANGE"),
    "sequence: expected 3 or more, got 0": (block_of(0, after_gap=True), "ABORTED"),
    "channels: expected 2 (h, v), got 1": (
        replace(block_of(3), values=block_of(3).values[:1]),
        "FAILED_PRECONDITION",
    ),
    "samples: expected 64 a channel, got 63": (
        replace(block_of(3), values=block_of(3).values[:, :63]),
        "FAILED_PRECONDITION",
    ),
    "sample_rate_hz: expected 25600.0, got 12000.0": (
        replace(block_of(3), sample_rate_hz=12000.0),
        "FAILED_PRECONDITION",
    ),
    "sample_rate_hz: expected 25600.0, got nan": (
        replace(block_of(3), sample_rate_hz=float("nan")),
        "FAILED_PRECONDITION",
    ),
    "blocks[3].v[5]: expected a finite number, got nan": (
        spoil(block_of(3), np.nan),
        "INVALID_ARGUMENT",
    ),
    "blocks[3].v[5]: expected a finite number, got -inf": (
        spoil(block_of(3), -np.inf),
        "INVALID_ARGUMENT",
    ),
}


@pytest.mark.parametrize(("message", "case"), BAD_BLOCKS.items(), ids=BAD_BLOCKS)
def test_a_bad_block_is_refused_and_changes_nothing(message: str, case: tuple[Block, str]) -> None:
    bad, status = case
    blocks = blocks_of([(0, 6)])
    series = Series(contract_of(2))
    before = push_all(series, blocks[:3])
    with pytest.raises(FieldError) as caught:
        series.push(bad)
    assert str(caught.value) == message
    assert caught.value.status == status
    assert isinstance(caught.value, InputError | MismatchError)
    after = push_all(series, blocks[3:])
    assert [window.sequence for window in before + after] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("age_s", [-1.0, 1.1e10, float("nan"), float("inf")])
def test_a_bad_age_is_refused(age_s: float) -> None:
    with pytest.raises(InputError, match=r"age_at_start_s: expected 0 to 1e\+10, got"):
        Series(tiny_contract(), age_at_start_s=age_s)


@pytest.mark.parametrize("start_us", [-1, 253_370_764_800_000_000])
def test_a_time_that_has_no_text_is_refused(start_us: int) -> None:
    series = Series(contract_of(1))
    with pytest.raises(InputError, match=r"blocks\[0\].start_time: expected a time from 1970 to"):
        series.push(replace(block_of(0), start_us=start_us))
    assert series.push(replace(block_of(0), start_us=253_370_764_799_999_999)) is not None


def test_a_number_that_no_block_has_is_refused() -> None:
    series = Series(contract_of(1))
    with pytest.raises(InputError, match="sequence: expected at most 1099511627776, got 1099"):
        series.push(block_of(2**40 + 1, after_gap=True))
    assert series.push(block_of(0)) is not None


@pytest.mark.parametrize("fraction", [float("nan"), float("inf")])
def test_output_that_is_not_finite_is_no_answer(fraction: float) -> None:
    series = Series(contract_of(1))
    (window,) = push_all(series, [block_of(0)])
    with pytest.raises(InputError, match=r"blocks\[0\]: expected readings that lead to a finite"):
        series.answer(window, outputs_of(fraction))


@pytest.mark.parametrize(("window", "flagged"), [(64, True), (16, True), (15, False)])
def test_a_clipped_channel_is_flagged_where_blocks_are_snapshots(
    window: int, *, flagged: bool
) -> None:
    contract = msgspec.structs.replace(contract_of(2), window=window)
    series = Series(contract)
    waves = np.sin(np.arange(2 * window).reshape(2, window)).astype(np.float32)
    clipped = np.stack([np.clip(waves[0], -0.1, 0.1), waves[1]])
    blocks = [waves, waves, clipped, np.stack([clipped[0], np.ones(window, np.float32)]), waves]
    pushed = [
        series.push(Block(number, START_US + number * HOP_US, 25600.0, values))
        for number, values in enumerate(blocks)
    ]
    both = (Quality.CONSTANT, Quality.CLIPPED) if flagged else (Quality.CONSTANT,)
    expected = [(), (Quality.CLIPPED,) if flagged else (), both, ()]
    assert [item.quality for item in pushed if item is not None] == expected

"""Several models over one asset's rows: what they are given, and that a break changes nothing."""

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny import tiny_contract
from tiny_plant import (
    FORECAST,
    MINUTE_US,
    MONDAY_US,
    OUTLIER,
    answer_forecast,
    answer_outlier,
    plant_rows,
)

from wearcast.clients.plant_rows import gather_rows, make_blocks
from wearcast.signals.contract import Channel, Contract
from wearcast.signals.errors import InputError, MismatchError
from wearcast.signals.estimate import Estimate, Quality
from wearcast.signals.panel import Panel, join_contracts
from wearcast.signals.series import Block, Series, minutes_of


def follow(panel: Panel, blocks: list[Block]) -> list[Estimate]:
    """All estimates, each answered by the oracle."""
    estimates = []
    for block in blocks:
        for place, window in panel.push(block):
            minutes = minutes_of((FORECAST, OUTLIER)[place], [window])
            outputs = (
                answer_outlier(window.values[None])
                if minutes is None
                else answer_forecast(window.values[None], minutes)
            )
            one = {name: part[0] for name, part in outputs.items()}
            estimates.append(panel.series[place].answer(window, one))
    return estimates


def test_an_answer_is_due_by_the_clock_and_from_the_first_row_on_where_it_may_be() -> None:
    blocks = list(make_blocks(plant_rows(16, missing=(6,))))
    estimates = follow(Panel([FORECAST, OUTLIER]), blocks)
    forecasts = [item for item in estimates if item.model == "tiny-forecast"]
    outliers = [item for item in estimates if item.model == "tiny-outlier"]
    # Rows 4, 9 and 14 end at 0:05, 0:10 and 0:15.
    assert [item.sequence for item in forecasts] == [4, 9, 14]
    assert [item.sequence for item in outliers] == list(range(16))
    first = forecasts[0].forecast.points[0]
    assert (first.channel, first.unit, first.horizon_s) == ("flow", "m3/h", 60.0)
    assert dict(first.values) == pytest.approx({0.1: 6.3, 0.5: 7.0, 0.9: 7.7})
    stages = [item.outlier.stages[0] for item in outliers]
    assert [item.stage for item in stages] == [4 if row == 6 else 0 for row in range(16)]
    assert (stages[6].value, stages[6].cause, stages[7].value) == (None, "MISSING", 7.0)
    missing = [row for row, item in enumerate(outliers) if Quality.MISSING in item.quality]
    assert missing == [0, 1, 2, 6, 7, 8, 9]


@pytest.mark.parametrize(("zone", "due"), [("UTC", [59, 119]), ("Asia/Kolkata", [29, 89])])
def test_whole_hours_are_those_of_the_contracts_clock(zone: str, due: list[int]) -> None:
    contract = msgspec.structs.replace(FORECAST, every_s=3600.0, time_zone=zone)
    series = Series(contract)
    windows = [series.push(block) for block in make_blocks(plant_rows(130))]
    assert [window.sequence for window in windows if window is not None] == due


def test_a_clock_that_is_off_by_seconds_changes_no_turn() -> None:
    series = Series(FORECAST)
    due = []
    for block in make_blocks(plant_rows(16)):
        late = Block(block.sequence, block.start_us + 20_000_000, 1 / 60, block.values)
        if series.push(late) is not None:
            due.append(block.sequence)
    assert due == [4, 9, 14]


@given(st.integers(1, 20), st.integers(0, 19))
def test_after_a_break_all_goes_on_as_if_there_had_been_none(until: int, lost: int) -> None:
    blocks = list(make_blocks(plant_rows(20, missing=(lost,))))
    undisturbed = follow(Panel([FORECAST, OUTLIER]), blocks)
    before = follow(Panel([FORECAST, OUTLIER]), blocks[:until])
    panel = Panel([FORECAST, OUTLIER])
    for series, model in zip(panel.series, ("tiny-forecast", "tiny-outlier"), strict=True):
        stored = [item for item in before if item.model == model]
        series.resume(stored[-series.memory :], until - 1)
    assert panel.next_sequence == max(0, until - 3)
    assert before + follow(panel, blocks[panel.next_sequence :]) == undisturbed


def test_without_an_acknowledgement_the_last_answer_says_where_to_go_on() -> None:
    blocks = list(make_blocks(plant_rows(20)))
    undisturbed = follow(Panel([FORECAST]), blocks)
    before = follow(Panel([FORECAST]), blocks[:9])
    panel = Panel([FORECAST])
    panel.series[0].resume(before[-1:])
    assert panel.next_sequence == 3
    assert before + follow(panel, blocks[3:]) == undisturbed


def test_each_model_gets_its_own_channels() -> None:
    alone = msgspec.structs.replace(FORECAST, channels=(Channel("pressure", "bar"),), sequence=1)
    both = msgspec.structs.replace(OUTLIER, sequence=1)
    joined = join_contracts([alone, both])
    assert [channel.name for channel in joined.channels] == ["pressure", "flow"]
    panel = Panel([alone, both])
    block = Block(4, MONDAY_US + 4 * MINUTE_US, 1 / 60, np.array([[4.0], [7.0]]), after_gap=True)
    (_, first), (_, second) = panel.push(block)
    assert (first.values.ravel().tolist(), second.values.ravel().tolist()) == ([4.0], [7.0, 4.0])


@pytest.mark.parametrize(
    ("second", "error", "message"),
    [
        (FORECAST, InputError, "models: expected each model once, got tiny-forecast/1 twice"),
        (tiny_contract(), MismatchError, "models: tiny/1: sample_rate_hz: expected 0.0166667 as"),
        (
            msgspec.structs.replace(OUTLIER, channels=(Channel("flow", "l/s"),)),
            MismatchError,
            "models: tiny-outlier/1: flow: expected m3/h, got l/s",
        ),
    ],
)
def test_models_that_do_not_go_together_are_named(
    second: Contract, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        Panel([FORECAST, second])


def test_an_infinite_reading_is_refused_and_a_missing_one_where_it_may_not_be() -> None:
    infinite = Block(0, MONDAY_US, 1 / 60, np.array([[np.inf], [4.0]]))
    with pytest.raises(InputError, match=r"blocks\[0\].flow\[0\]: expected .* or NaN for none"):
        Series(FORECAST).push(infinite)
    missing = Block(0, MONDAY_US, 1 / 60, np.array([[np.nan], [4.0]]))
    with pytest.raises(InputError, match=r"blocks\[0\].flow\[0\]: expected a finite number, got"):
        Series(msgspec.structs.replace(FORECAST, missing=False)).push(missing)


def test_windows_that_were_given_out_never_change() -> None:
    series = Series(OUTLIER)
    windows = [series.push(block) for block in make_blocks(plant_rows(40))]
    for row, window in enumerate(windows):
        expected = [number if number >= 0 else np.nan for number in range(row - 3, row + 1)]
        np.testing.assert_array_equal(window.values[:, 0, 0], expected)
        with pytest.raises(ValueError, match="read-only"):
            window.values[:] = 0


def test_rows_come_back_from_their_blocks() -> None:
    rows = plant_rows(10, missing=(3,))
    back = gather_rows([block for block in make_blocks(rows) if block.sequence != 5], rows.channels)
    assert (back.start_us, back.step_us) == (rows.start_us, rows.step_us)
    expected = rows.values.copy()
    expected[5] = np.nan
    np.testing.assert_array_equal(back.values, expected)
    assert gather_rows([], rows.channels) is None

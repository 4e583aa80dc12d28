from dataclasses import replace

import numpy as np
import pytest
from plant_labels import correlate, rows_of

from wearcast.signals.clock import minutes_of_week, parse_time
from wearcast.signals.errors import InputError
from wearcast.signals.simulation.plant_demand import DAY_MIN, STEP_US, Demand, simulate_demand
from wearcast.signals.simulation.plant_faults import (
    NO_FAULTS,
    Event,
    Label,
    open_leaks,
)
from wearcast.signals.simulation.plant_simulation import (
    Plant,
    SimulatedPlant,
    leak_day,
    simulate_plant,
)


def test_a_year_has_a_row_for_each_minute_and_its_end(year: SimulatedPlant) -> None:
    for rows in (year.true, year.measured):
        assert rows.channels == ("flow_rate", "pressure")
        assert rows.values.shape == (527_041, 2)
        assert rows.times_us[0] == parse_time("2020-01-01")
        assert rows.times_us[-1] == parse_time("2021-01-01")
    assert np.isfinite(year.true.values).all()


def test_the_flow_repeats_by_the_day_and_more_so_by_the_week(year: SimulatedPlant) -> None:
    flow = year.true.column("flow_rate")
    day, week = correlate(flow, DAY_MIN), correlate(flow, 7 * DAY_MIN)
    assert correlate(flow, DAY_MIN // 2) < 0
    assert 0.85 < day < week
    assert day > max(correlate(flow, DAY_MIN - 120), correlate(flow, DAY_MIN + 120))
    assert week > max(correlate(flow, 6 * DAY_MIN), correlate(flow, 8 * DAY_MIN))


@pytest.mark.parametrize(
    ("first_day", "last_day", "morning", "evening"), [(0, 4, 7.2, 19.3), (5, 6, 9.8, 19.2)]
)
def test_days_have_a_night_and_two_peaks(
    year: SimulatedPlant, first_day: int, last_day: int, morning: float, evening: float
) -> None:
    minute = minutes_of_week(year.true.times_us, "UTC").astype(int)
    flow = year.true.column("flow_rate")
    of_day = np.zeros(DAY_MIN)
    for day in range(first_day, last_day + 1):
        here = minute // DAY_MIN == day
        of_day += np.bincount(minute[here] % DAY_MIN, flow[here]) / np.bincount(
            minute[here] % DAY_MIN
        )
    of_day /= last_day + 1 - first_day
    assert 2 * 60 <= np.argmin(of_day) < 4 * 60
    # The night's use of 3 m3/h and leakage of 7 m3/h, somewhat more at the night's pressure.
    assert of_day.min() == pytest.approx(11, abs=1.0)
    first_half, second_half = of_day[: 13 * 60], of_day[15 * 60 :]
    assert np.argmax(first_half) / 60 == pytest.approx(morning, abs=0.7)
    assert 15 + np.argmax(second_half) / 60 == pytest.approx(evening, abs=0.7)
    between = of_day[14 * 60 : 17 * 60].min()
    assert between < 0.9 * min(first_half.max(), second_half.max())


def test_mean_flow_and_pressure_are_those_of_the_plant(year: SimulatedPlant) -> None:
    flow, pressure = year.true.values.T
    assert flow.mean() == pytest.approx(year.plant.mean_flow_m3h, rel=0.03)
    assert pressure.mean() == pytest.approx(year.plant.mean_bar, abs=0.15)
    low, high = flow.min(), flow.max()
    assert 0 < low < high < year.plant.ranges[0] / 1.5
    assert year.plant.ranges[1] / 1.5 > pressure.max() > pressure.min() > 3


def test_summer_takes_more_than_winter(year: SimulatedPlant) -> None:
    by_day = year.true.column("flow_rate")[:-1].reshape(366, DAY_MIN).mean(axis=1)
    assert by_day[170:230].mean() / by_day[:30].mean() == pytest.approx(1.17, abs=0.05)


def test_holidays_are_like_sundays() -> None:
    # 2020-12-25 was a Friday.
    week = Plant(start="2020-12-21", days=7, rates=NO_FAULTS)
    workday = replace(week, demand=Demand(holidays=()))
    flows = [simulate_plant(plant).true.column("flow_rate") for plant in (week, workday)]
    at_seven = 4 * DAY_MIN + 7 * 60 + 10
    around = slice(at_seven - 30, at_seven + 30)
    assert flows[0][around].mean() < 0.7 * flows[1][around].mean()
    before = [flow[: 4 * DAY_MIN].mean() for flow in flows]
    assert before[0] == pytest.approx(before[1], rel=0.01)


def test_noise_grows_with_the_flow_and_lasts_some_minutes() -> None:
    steady = Demand(day_spread=0, hour_spread=0, season=0)
    many = np.array([simulate_demand(steady, 0, 2 * DAY_MIN, (seed,)) for seed in range(200)])
    noise, mean = many - many.mean(axis=0), many.mean(axis=0)
    spread = noise.std(axis=0)
    night, peak = slice(3 * 60, 4 * 60), slice(7 * 60, 8 * 60)
    # Draws are Poisson: the spread grows as the root of the flow.
    ratio = np.sqrt(mean[peak].mean() / mean[night].mean())
    assert spread[peak].mean() / spread[night].mean() == pytest.approx(ratio, rel=0.1)
    for lag in (1, 3):
        found = (noise[:, :-lag] * noise[:, lag:]).mean() / (noise**2).mean()
        assert found == pytest.approx(np.exp(-lag / steady.draw_minutes), abs=0.03)


def test_days_and_hours_deviate_as_much_as_asked() -> None:
    plain = Demand(day_spread=0, hour_spread=0, draw_litres=1e-3)
    varied = replace(plain, day_spread=0.04)
    flows = [
        simulate_demand(demand, 0, 720 * DAY_MIN, (5,)).reshape(720, DAY_MIN).sum(axis=1)
        for demand in (plain, varied)
    ]
    deviation = np.log(flows[1] / flows[0])
    # Of 38 m3/h, 3 do not vary.
    assert deviation.std() == pytest.approx(0.04 * 35 / 38, rel=0.15)
    assert correlate(deviation, 1) == pytest.approx(np.exp(-1 / 3), abs=0.1)


def test_pressure_falls_as_flow_rises(year: SimulatedPlant) -> None:
    flow, pressure = year.true.values.T
    assert np.corrcoef(flow, pressure)[0, 1] < -0.8
    by_day = [
        np.corrcoef(flow[start : start + DAY_MIN], pressure[start : start + DAY_MIN])[0, 1]
        for start in range(0, 366 * DAY_MIN, DAY_MIN)
    ]
    assert max(by_day) < -0.6


def test_pressure_is_the_valves_less_the_loss_by_the_square_of_the_flow() -> None:
    plant = Plant(days=7, rates=NO_FAULTS, valve_spread_bar=0)
    flow, pressure = simulate_plant(plant).true.values.T
    held = pressure + plant.loss_bar * (flow / plant.mean_flow_m3h) ** 2
    hour = np.arange(plant.rows) / 60 % 24
    np.testing.assert_allclose(held[(hour > 5.5) & (hour < 23)], plant.day_bar)
    np.testing.assert_allclose(held[(hour > 23.5) | (hour < 4.9)], plant.night_bar)
    assert np.abs(np.diff(held)).max() < 1.01 * (plant.day_bar - plant.night_bar) / 20


def test_leakage_fits_the_pressure() -> None:
    plant = Plant(days=3, rates=NO_FAULTS, events=(Event("leak", 100, 4_000, size=0.3),))
    # Without noise of sensors, so that what they read is what flows.
    exact = replace(plant, flow_noise=0, pressure_noise_bar=0, decimals=(9, 9))
    demand_m3h = simulate_demand(plant.demand, parse_time(plant.start), plant.rows, (0, 0))
    flow, pressure = simulate_plant(exact).measured.values.T
    relative = pressure / plant.mean_bar
    leak = plant.mean_flow_m3h * open_leaks(plant.events, plant.rows)
    expected = demand_m3h + plant.leakage_m3h * relative**1.5 + leak * relative**0.5
    np.testing.assert_allclose(flow, expected, atol=0.01)


def test_the_seed_is_all_that_chance_hangs_on() -> None:
    first, again, other = (simulate_plant(Plant(days=10, seed=seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.measured.values, again.measured.values)
    assert first.labels == again.labels != other.labels
    assert not np.array_equal(first.true.values, other.true.values)


def test_the_leak_day_is_two_workdays_with_one_burst() -> None:
    simulated = simulate_plant(leak_day(seed=3))
    assert len(simulated.measured) == 2 * DAY_MIN + 1
    weekdays = minutes_of_week(simulated.true.times_us[:-1], "UTC") // DAY_MIN
    assert set(weekdays) == {1, 2}
    (label,) = simulated.labels
    start_us = parse_time("2021-06-16T11:00:00Z")
    assert label == Label("leak", "", start_us, start_us + 6 * 60 * STEP_US)
    off = simulated.measured.values - simulated.true.values
    span = rows_of(label, simulated.true)
    assert off[span, 0].mean() == pytest.approx(0.25 * 45, rel=0.1)
    assert off[span, 1].mean() < -0.1
    assert np.abs(np.delete(off, np.r_[span], axis=0)).max(axis=0) == pytest.approx(
        [1, 0.02], rel=1
    )


def test_a_plant_can_start_within_a_day() -> None:
    whole = simulate_plant(Plant(days=1, rates=NO_FAULTS, seed=4))
    late = simulate_plant(Plant(start="2020-01-01T18:30", days=1, rates=NO_FAULTS, seed=4))
    assert late.true.start_us - whole.true.start_us == 1_110 * STEP_US
    night = late.true.column("flow_rate")[8 * 60 : 9 * 60]
    assert night.max() < 20 < late.true.column("flow_rate")[: 2 * 60].min()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"start": "2020-01-01T00:00:30"}, "start: expected an ISO 8601 time on a full minute"),
        ({"start": "yesterday"}, "start: expected an ISO 8601 time on a full minute"),
        ({"days": 0}, "days: expected 1 or more, got 0"),
        (
            {"days": 1, "events": (Event("gap", 1_440, 2),)},
            "events: expected ends up to minute 1441, got 1442",
        ),
    ],
)
def test_a_bad_plant_is_named(changes: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Plant(**changes)


def test_a_demand_of_night_use_alone_is_refused() -> None:
    with pytest.raises(InputError, match="demand: mean_m3h: expected over 3, got 2"):
        Demand(mean_m3h=2)

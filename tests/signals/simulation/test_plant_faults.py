from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from plant_labels import rows_of, spans

from wearcast.signals.clock import parse_time
from wearcast.signals.errors import InputError
from wearcast.signals.simulation.plant_demand import DAY_MIN, STEP_US
from wearcast.signals.simulation.plant_faults import (
    CHANNELS,
    NO_FAULTS,
    PLANT_KINDS,
    SENSOR_KINDS,
    Event,
    Label,
    Rates,
    draw_events,
    open_leaks,
)
from wearcast.signals.simulation.plant_simulation import Plant, SimulatedPlant, simulate_plant


def test_outside_all_labels_the_sensors_read_what_is_true(year: SimulatedPlant) -> None:
    sound = np.ones(len(year.true), dtype=bool)
    for label in year.labels:
        sound[rows_of(label, year.true)] = False
    assert sound.mean() > 0.8
    assert sound[[0, -1]].all()
    true, off = year.true.values[sound], (year.measured.values - year.true.values)[sound]
    flow_noise = np.sqrt((0.005 * true[:, 0]) ** 2 + 0.1**2 / 12)
    assert np.std(off[:, 0] / flow_noise) == pytest.approx(1, abs=0.02)
    assert np.std(off[:, 1]) == pytest.approx(np.hypot(0.005, 0.01 / np.sqrt(12)), rel=0.02)
    assert (
        np.abs(off) <= np.stack([6 * 0.005 * true[:, 0] + 0.05, 0.036 + 0 * true[:, 1]], 1)
    ).all()


def test_a_year_has_as_many_of_each_kind_as_the_rates_say(year: SimulatedPlant) -> None:
    rates = Rates()
    counts = Counter((label.kind, label.channel) for label in year.labels)
    sensor_faults = {(kind, channel) for kind in SENSOR_KINDS for channel in CHANNELS}
    assert set(counts) == sensor_faults | {(kind, "") for kind in PLANT_KINDS}
    per_year = {
        "leak": rates.leaks, "stuck": rates.stuck, "jump": rates.jumps, "range": rates.ranges,
        "drift": rates.drifts, "text": rates.texts, "gap": rates.short_gaps + rates.long_gaps,
        "duplicate": rates.duplicates, "disorder": rates.disorders,
    }  # fmt: skip
    for (kind, _), count in counts.items():
        # A kind is drawn in one or two lots, each rounded up or down.
        assert per_year[kind] <= count <= 1.003 * per_year[kind] + 2
    starts = [label.start_us for label in year.labels]
    assert starts == sorted(starts)


def test_in_a_leak_more_flows_at_less_pressure(year: SimulatedPlant) -> None:
    off = year.measured.values - year.true.values
    for label in year.labels:
        if label.kind != "leak":
            off[rows_of(label, year.true)] = np.nan
    leaks = [off[span] for span in spans(year, "leak")]
    seen = [leak for leak in leaks if np.isfinite(leak).any()]
    assert len(seen) > len(leaks) / 2
    for leak in seen:
        flow, pressure = np.nanmean(leak, axis=0)
        assert flow > 0.01 * year.plant.mean_flow_m3h
        assert pressure < -0.005


def test_leaks_burst_or_grow(year: SimulatedPlant) -> None:
    leaks = [event for event in year.events if event.kind == "leak"]
    assert {event.growth_min == 0 for event in leaks} == {True, False}
    for event in leaks:
        lost = open_leaks((event,), len(year.true))
        assert 0.05 <= event.size <= 0.3
        assert lost.max() == event.size
        assert lost[event.span.start - 1] == lost[event.span.stop] == 0
        steps = np.diff(lost[event.span])
        assert (steps >= 0).all()
        assert lost[event.span][0] == pytest.approx(event.size / max(event.growth_min, 1))


@pytest.mark.parametrize("channel", CHANNELS)
class TestSensorFaults:
    def test_stuck_is_one_reading_for_long(self, year: SimulatedPlant, channel: str) -> None:
        for span in spans(year, "stuck", channel):
            assert 30 <= span.stop - span.start <= 360
            assert len(set(year.measured.column(channel)[span])) == 1

    def test_a_jump_is_far_off(self, year: SimulatedPlant, channel: str) -> None:
        mean = year.plant.mean_flow_m3h if channel == "flow_rate" else year.plant.mean_bar
        for span in spans(year, "jump", channel):
            assert span.stop - span.start == 1
            readings = year.measured.column(channel)
            off = readings[span] - year.true.column(channel)[span]
            assert np.abs(off) > 0.12 * mean
            assert (readings[span] >= 0).all()

    def test_out_of_range_is_out_of_range(self, year: SimulatedPlant, channel: str) -> None:
        top = year.plant.ranges[CHANNELS.index(channel)]
        sides = set()
        for span in spans(year, "range", channel):
            readings = year.measured.column(channel)[span]
            assert ((readings < 0) | (readings > top)).all()
            sides |= set(np.sign(readings))
        assert sides == {-1, 1}
        readings = np.delete(
            year.measured.column(channel),
            np.concatenate([np.r_[span] for span in spans(year, "range", channel)]),
        )
        # 4 to 20 mA: a failed transmitter says 3.6 or 21.
        assert np.nanmin(readings) >= 0
        assert np.nanmax(readings) <= top

    def test_a_drift_grows(self, year: SimulatedPlant, channel: str) -> None:
        for span in spans(year, "drift", channel):
            true = year.true.column(channel)[span]
            ratio = year.measured.column(channel)[span] / true
            parts = [np.nanmedian(part) - 1 for part in np.array_split(ratio, 10)]
            assert abs(parts[0]) < 0.06 < abs(parts[-1]) < 0.3
            assert abs(parts[-1]) > 4 * abs(parts[0])

    def test_a_text_is_no_number(self, year: SimulatedPlant, channel: str) -> None:
        other = CHANNELS[1 - CHANNELS.index(channel)]
        for span in spans(year, "text", channel):
            assert np.isnan(year.measured.column(channel)[span]).all()
            assert np.isfinite(year.measured.column(other)[span]).all()


def test_nothing_is_missing_but_gaps_and_texts(year: SimulatedPlant) -> None:
    missing = np.zeros(year.measured.values.shape, dtype=bool)
    lengths = []
    for span in spans(year, "gap"):
        missing[span] = True
        lengths.append(span.stop - span.start)
    for number, channel in enumerate(CHANNELS):
        for span in spans(year, "text", channel):
            missing[span, number] = True
    np.testing.assert_array_equal(np.isnan(year.measured.values), missing)
    assert {1, 2, 3} < set(lengths)
    assert sum(length >= 60 for length in lengths) == pytest.approx(4.5, abs=0.5)


def test_faults_change_nothing_of_what_is_true(year: SimulatedPlant) -> None:
    clean = simulate_plant(Plant(rates=NO_FAULTS))
    np.testing.assert_array_equal(clean.true.values, year.true.values)
    assert clean.labels == ()
    assert np.isfinite(clean.measured.values).all()


def test_one_rate_changes_nothing_of_another_kind() -> None:
    usual = draw_events(Rates(), 366 * DAY_MIN, (0,))
    more = draw_events(Rates(leaks=20), 366 * DAY_MIN, (0,))
    assert [event for event in usual if event.kind != "leak"] == [
        event for event in more if event.kind != "leak"
    ]


@pytest.mark.parametrize("days", [1, 2, 5])
def test_a_short_time_holds_what_fits_into_it(days: int) -> None:
    crowded = Rates(leaks=500, short_gaps=3_000)
    for seed in range(20):
        events = draw_events(crowded, days * DAY_MIN + 1, (seed,))
        assert len(events) > 5 * days
        assert all(0 < event.start_min < event.span.stop <= days * DAY_MIN for event in events)


GIVEN = [
    Event("leak", 1_800, 200, size=0.1),
    Event("leak", 1_800, 200, size=0.2, growth_min=100),
    *(
        Event(kind, 1_800, minutes, channel, size)
        for channel in CHANNELS
        for kind, minutes, size in [
            ("stuck", 90, 0.0), ("jump", 1, -0.15), ("range", 7, 1.0), ("range", 7, -1.0),
            ("drift", 900, 0.3), ("text", 2, 0.0),
        ]
    ),
    Event("gap", 1_800, 5),
]  # fmt: skip


@pytest.mark.parametrize("event", GIVEN)
def test_a_given_event_is_where_it_was_put_and_nowhere_else(event: Event) -> None:
    quiet = Plant(days=2, rates=NO_FAULTS, decimals=(6, 6))
    plain = simulate_plant(quiet)
    simulated = simulate_plant(replace(quiet, events=(event,)))
    differs = simulated.measured.values != plain.measured.values
    here = np.zeros_like(differs)
    channels = [CHANNELS.index(event.channel)] if event.channel else [0, 1]
    # A sensor sticks at the first reading, which so is right.
    here[event.start_min + (event.kind == "stuck") : event.span.stop, channels] = True
    np.testing.assert_array_equal(differs, here)
    start_us = parse_time("2020-01-02T06:00:00Z")
    end_us = start_us + event.minutes * STEP_US
    assert simulated.labels == (Label(event.kind, event.channel, start_us, end_us),)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (("flood", 0, 1), "events: kind: expected one of stuck"),
        (("stuck", 0, 1), "events: channel: expected one of"),
        (("leak", 0, 1, "pressure"), "events: channel: expected one of"),
        (("gap", -1, 1), "events: minutes: expected a start from 0 on"),
        (("gap", 0, 0), "events: minutes: expected a start from 0 on"),
    ],
)
def test_a_bad_event_is_named(fields: tuple[object, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Event(*fields)


def test_bad_rates_are_named() -> None:
    with pytest.raises(InputError, match="rates: jumps: expected 0 or more, got -1"):
        Rates(jumps=-1)
    with pytest.raises(InputError, match="rates: expected no more stuck than the days have room"):
        simulate_plant(Plant(days=3, rates=replace(NO_FAULTS, stuck=20_000)))

"""Alarms: states, delays, and the same whether or not they were stopped in between."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from naive_alarms import naive_levels

from wearcast.signals.alarms import AlarmRules, Alarms, AlarmsState, State, Tag, alerts_every
from wearcast.signals.alerts import Alert, AlertKind
from wearcast.signals.errors import InputError, MismatchError
from wearcast.signals.estimate import DetectorStage, Estimate, Forecast, Outlier

MINUTE_US = 60_000_000
FLOW = Tag("system", "flow")
AT_ONCE = AlarmRules(on_delay_s=0, off_delay_s=0)


def make_estimate(minute: float, *stages: int | None, tags: tuple[Tag, ...] = (FLOW,)) -> Estimate:
    return Estimate(
        sequence=int(minute),
        window_end_us=round(minute * MINUTE_US),
        quality=("FILLED",),
        answer=Outlier(
            tuple(
                DetectorStage(tag.detector, tag.channel, "m3/h", stage, 99.0, 7.5)
                for tag, stage in zip(tags, stages, strict=True)
            )
        ),
        model="flow-outlier",
    )


def feed(alarms: Alarms, first: int, *stages: int | None) -> list[tuple[int, str, int, int]]:
    """Readings a minute apart; minute, kind, stage and previous stage of each alert."""
    return [
        (alert.time_us // MINUTE_US, str(alert.kind), alert.stage, alert.previous_stage)
        for minute, stage in enumerate(stages, first)
        for alert in alarms.update(make_estimate(minute, stage))
    ]


def state_of(alarms: Alarms) -> State:
    (view,) = alarms.tags()
    return view.state


def test_an_alarm_is_raised_after_the_delay_and_cleared_after_the_other() -> None:
    alarms = Alarms("north", AlarmRules(on_delay_s=180, off_delay_s=120))
    assert feed(alarms, 1, 0, 3, 3, 3, 3, 0, 0, 0) == [(5, "RAISED", 3, 0), (8, "CLEARED", 0, 3)]


def test_without_delays_it_is_raised_and_cleared_at_once() -> None:
    alarms = Alarms("north", AT_ONCE)
    assert feed(alarms, 1, 2, 3, 2) == [(2, "RAISED", 3, 0), (3, "CLEARED", 0, 3)]


def test_a_single_normal_reading_begins_the_delay_anew() -> None:
    alarms = Alarms("north", AlarmRules(on_delay_s=120))
    assert feed(alarms, 1, 3, 3, 0, 3, 3) == []
    assert feed(alarms, 6, 3) == [(6, "RAISED", 3, 0)]


def test_it_escalates_and_de_escalates_with_the_same_delays() -> None:
    alarms = Alarms("north", AlarmRules(from_stage=1, on_delay_s=60, off_delay_s=60))
    told = feed(alarms, 1, 1, 1, 4, 1, 4, 4, 2, 2, 0, 0)
    assert told == [
        (2, "RAISED", 1, 0),
        (6, "ESCALATED", 4, 1),
        (8, "DE_ESCALATED", 2, 4),
        (10, "CLEARED", 0, 2),
    ]


def test_it_is_raised_with_the_stage_that_lasted() -> None:
    alarms = Alarms("north", AlarmRules(on_delay_s=60))
    assert feed(alarms, 1, 3, 4, 4) == [(2, "RAISED", 3, 0), (3, "ESCALATED", 4, 3)]


def test_in_the_deadband_nothing_changes() -> None:
    alarms = Alarms("north", AlarmRules(deadband=2, on_delay_s=0, off_delay_s=0))
    assert feed(alarms, 1, 2, 3, 2, 2, 1) == [(2, "RAISED", 3, 0), (5, "CLEARED", 0, 3)]


def test_readings_that_are_not_judged_neither_raise_nor_clear_and_stop_the_clock() -> None:
    alarms = Alarms("north", AlarmRules(on_delay_s=120, off_delay_s=120))
    assert feed(alarms, 1, 3, None, None, None, None, 3) == []
    assert feed(alarms, 7, 3) == [(7, "RAISED", 3, 0)]
    assert feed(alarms, 8, *[None] * 60, 0, 0) == []
    assert feed(alarms, 70, 0) == [(70, "CLEARED", 0, 3)]


def test_a_gap_counts_as_one_step() -> None:
    alarms = Alarms("north", AlarmRules(on_delay_s=120))
    assert feed(alarms, 1, 3) == []
    assert feed(alarms, 600, 3) == []
    assert feed(alarms, 601, 3) == [(601, "RAISED", 3, 0)]


def test_the_step_may_be_longer() -> None:
    alarms = Alarms("north", AlarmRules(on_delay_s=1200), step_s=600)
    assert [len(alarms.update(make_estimate(minute, 3))) for minute in (0, 10, 20)] == [0, 0, 1]


def test_a_clock_that_is_set_back_counts_as_no_time() -> None:
    alarms = Alarms("north", AlarmRules(on_delay_s=120))
    assert feed(alarms, 100, 3, 3) == []
    assert feed(alarms, 50, 3) == []
    assert feed(alarms, 51, 3) == [(51, "RAISED", 3, 0)]


def test_ids_differ_where_a_clock_that_is_set_back_gives_a_time_twice() -> None:
    alarms = Alarms("north", AT_ONCE)
    alerts = [
        alert
        for minute, stage in ((5, 3), (6, 0), (5, 3), (6, 0))
        for alert in alarms.update(make_estimate(minute, stage))
    ]
    assert len(alerts) == len({alert.id for alert in alerts}) == 4


def test_a_reading_that_comes_again_is_passed_over() -> None:
    alarms = Alarms("north", AlarmRules(on_delay_s=0))
    assert feed(alarms, 1, 3) != []
    before = alarms.state
    assert alarms.update(make_estimate(1, 0)) == []
    assert alarms.state == before


def test_acknowledging_an_active_alarm_lets_it_return_to_normal() -> None:
    alarms = Alarms("north", AT_ONCE)
    feed(alarms, 1, 0)
    assert state_of(alarms) is State.NORMAL
    feed(alarms, 2, 3)
    assert state_of(alarms) is State.UNACKNOWLEDGED
    alarms.acknowledge(FLOW, 5 * MINUTE_US)
    assert state_of(alarms) is State.ACKNOWLEDGED
    assert alarms.tags()[0].since_us == 5 * MINUTE_US
    feed(alarms, 6, 0)
    assert state_of(alarms) is State.NORMAL


def test_an_alarm_that_nobody_saw_waits_to_be_acknowledged() -> None:
    alarms = Alarms("north", AT_ONCE)
    feed(alarms, 1, 3, 0)
    assert state_of(alarms) is State.RETURNED_UNACKNOWLEDGED
    alarms.acknowledge(FLOW, 3 * MINUTE_US)
    assert state_of(alarms) is State.NORMAL


def test_an_alarm_that_escalates_has_to_be_acknowledged_again() -> None:
    alarms = Alarms("north", AT_ONCE)
    feed(alarms, 1, 3)
    alarms.acknowledge(FLOW, MINUTE_US)
    feed(alarms, 2, 4)
    assert state_of(alarms) is State.UNACKNOWLEDGED
    alarms.acknowledge(FLOW, 2 * MINUTE_US)
    feed(alarms, 3, 3)
    assert state_of(alarms) is State.ACKNOWLEDGED


def test_a_latched_alarm_stays_until_it_is_reset() -> None:
    alarms = Alarms("north", AlarmRules(on_delay_s=0, off_delay_s=0, latching=True))
    assert feed(alarms, 1, 3, 0, 0) == [(1, "RAISED", 3, 0)]
    assert state_of(alarms) is State.LATCHED_UNACKNOWLEDGED
    alarms.acknowledge(FLOW, 4 * MINUTE_US)
    assert state_of(alarms) is State.LATCHED_ACKNOWLEDGED
    alarms.reset(FLOW, 5 * MINUTE_US)
    assert feed(alarms, 6, 0, 0) == [(6, "CLEARED", 0, 3)]
    assert state_of(alarms) is State.NORMAL


def test_a_latched_alarm_is_raised_again_when_readings_are_abnormal_again() -> None:
    alarms = Alarms("north", AlarmRules(on_delay_s=0, off_delay_s=0, latching=True))
    feed(alarms, 1, 3, 0)
    alarms.acknowledge(FLOW, 2 * MINUTE_US)
    assert feed(alarms, 3, 4) == [(3, "RAISED", 4, 3)]
    assert state_of(alarms) is State.UNACKNOWLEDGED
    alarms.reset(FLOW, 4 * MINUTE_US)  # still on: nothing to reset
    assert feed(alarms, 5, 4) == []


def test_a_shelved_alarm_says_nothing_and_is_raised_when_shelving_ends_while_it_is_on() -> None:
    alarms = Alarms("north", AT_ONCE)
    feed(alarms, 1, 0)
    alarms.shelve(FLOW, 5 * MINUTE_US)
    assert feed(alarms, 2, 3, 4) == []
    (view,) = alarms.tags()
    assert (view.state, view.until_us, view.alarm_stage, view.raised) == (
        State.SHELVED,
        5 * MINUTE_US,
        4,
        1,
    )
    assert alarms.active == 0
    assert feed(alarms, 4, 4, 4) == [(5, "RAISED", 4, 0)]
    assert state_of(alarms) is State.UNACKNOWLEDGED
    assert alarms.active == 1


def test_an_alarm_that_was_told_is_raised_again_or_cleared_after_shelving() -> None:
    alarms = Alarms("north", AT_ONCE)
    feed(alarms, 1, 3)
    alarms.shelve(FLOW, 3 * MINUTE_US)
    assert feed(alarms, 2, 3, 3) == [(3, "RAISED", 3, 3)]
    alarms.shelve(FLOW, 6 * MINUTE_US)
    assert feed(alarms, 4, 0, 0, 0) == [(6, "CLEARED", 0, 3)]
    assert state_of(alarms) is State.NORMAL


def test_unshelving_ends_it_with_the_next_reading() -> None:
    alarms = Alarms("north", AT_ONCE)
    feed(alarms, 1, 3)
    alarms.shelve(FLOW, 100 * MINUTE_US)
    alarms.unshelve(FLOW)
    assert feed(alarms, 2, 3) == [(2, "RAISED", 3, 3)]


def test_an_alarm_that_comes_and_goes_while_shelved_was_never_told() -> None:
    alarms = Alarms("north", AlarmRules(on_delay_s=0, off_delay_s=0, latching=True))
    feed(alarms, 1, 0)
    alarms.shelve(FLOW, 5 * MINUTE_US)
    assert feed(alarms, 2, 3, 0, 0, 0) == []
    assert state_of(alarms) is State.NORMAL


@pytest.mark.parametrize("verb", ["acknowledge", "reset", "shelve", "unshelve"])
def test_a_tag_that_was_never_judged_is_refused(verb: str) -> None:
    alarms = Alarms("north", AT_ONCE)
    feed(alarms, 1, 0)
    times = () if verb == "unshelve" else (MINUTE_US,)
    with pytest.raises(InputError, match="tag: expected one that was judged"):
        getattr(alarms, verb)(Tag("night", "flow"), *times)


def test_an_alarm_chatters_while_it_was_raised_often_of_late() -> None:
    rules = AlarmRules(on_delay_s=0, off_delay_s=0, chatter_count=3, chatter_s=600)
    alarms = Alarms("north", rules)
    feed(alarms, 1, 3, 0, 3, 0)
    assert not alarms.tags()[0].chattering
    feed(alarms, 5, 3)
    assert alarms.tags()[0].chattering
    feed(alarms, 10, 3)
    assert alarms.tags()[0].chattering
    feed(alarms, 11, 3)
    assert not alarms.tags()[0].chattering
    assert alarms.tags()[0].raised == 3


def test_more_than_ten_alarms_in_ten_minutes_are_a_flood_that_ends_below_five() -> None:
    tags = tuple(Tag("system", f"channel {number}") for number in range(11))
    alarms = Alarms("north", AT_ONCE)
    alarms.update(make_estimate(1, *[3] * 10, 0, tags=tags))
    assert not alarms.in_flood
    alarms.update(make_estimate(5, *[0] * 7, *[3] * 4, tags=tags))
    assert alarms.in_flood
    assert alarms.active == 4
    # Minutes 1 to 10 have 11, minutes 2 to 11 only the one of minute 5.
    alarms.update(make_estimate(10, *[0] * 11, tags=tags))
    assert alarms.in_flood
    alarms.update(make_estimate(11, *[0] * 11, tags=tags))
    assert not alarms.in_flood


def test_rules_may_differ_by_tag() -> None:
    tags = (FLOW, Tag("multivariate", ""))
    alarms = Alarms("north", AT_ONCE, {"all multivariate": AlarmRules(from_stage=2, on_delay_s=0)})
    alerts = alarms.update(make_estimate(1, 2, 2, tags=tags))
    assert [(alert.detector, alert.stage) for alert in alerts] == [("multivariate", 2)]


def test_an_alert_says_what_it_is_about() -> None:
    (alert,) = Alarms("north/1", AT_ONCE).update(make_estimate(1, 3))
    assert alert == Alert(
        id="north%2F1/flow-outlier/system/flow/1970-01-01T00:01:00.000000Z/RAISED/1",
        asset="north/1",
        kind=AlertKind.RAISED,
        time_us=MINUTE_US,
        detector="system",
        channel="flow",
        unit="m3/h",
        stage=3,
        previous_stage=0,
        value=7.5,
        model="flow-outlier",
        quality=("FILLED",),
    )


def test_every_abnormal_reading_may_be_told_instead() -> None:
    tags = tuple(Tag("system", name) for name in "abcde")
    alerts = alerts_every(make_estimate(1, None, 0, 1, 2, 4, tags=tags), "north")
    assert [(alert.channel, alert.kind, alert.stage) for alert in alerts] == [
        ("c", AlertKind.ABNORMAL, 1),
        ("d", AlertKind.ABNORMAL, 2),
        ("e", AlertKind.ABNORMAL, 4),
    ]
    assert alerts[0].id == "north/flow-outlier/system/c/1970-01-01T00:01:00.000000Z/ABNORMAL"


def test_answers_of_another_kind_are_refused() -> None:
    estimate = Estimate(0, 0, (), Forecast(()), "flow-forecast")
    with pytest.raises(MismatchError, match="answer: expected Outlier, got Forecast"):
        Alarms("north", AT_ONCE).update(estimate)
    with pytest.raises(MismatchError, match="answer: expected Outlier, got Forecast"):
        alerts_every(estimate, "north")


READINGS = st.lists(
    st.tuples(
        st.sampled_from([1, 1, 1, 1, 2, 0.5, 30, -3]), st.sampled_from([None, 0, 1, 2, 3, 4])
    ),
    max_size=60,
)
RULES = st.integers(1, 4).flatmap(
    lambda stage: st.builds(
        AlarmRules,
        from_stage=st.just(stage),
        deadband=st.integers(1, stage),
        on_delay_s=st.sampled_from([0.0, 60.0, 90.0, 180.0]),
        off_delay_s=st.sampled_from([0.0, 60.0, 150.0]),
        latching=st.booleans(),
    )
)
COMMANDS = st.sampled_from(["acknowledge", "reset", "shelve", "unshelve"])


def make_estimates(readings: list[tuple[float, int | None]]) -> list[Estimate]:
    minute, estimates = 1000.0, []
    for passed, stage in readings:
        minute += passed
        estimates.append(make_estimate(minute, stage))
    return estimates


@given(READINGS, RULES)
def test_levels_are_those_of_brute_force(readings, rules) -> None:
    estimates = make_estimates(readings)
    alarms = Alarms("north", rules)
    levels = []
    for estimate in estimates:
        alarms.update(estimate)
        levels.append(alarms.tags()[0].alarm_stage)
    given_stages = [
        (estimate.window_end_us, estimate.outlier.stages[0].stage) for estimate in estimates
    ]
    assert levels == naive_levels(given_stages, rules, MINUTE_US)


def obey(alarms: Alarms, command: str, now_us: int) -> None:
    if command in {"acknowledge", "reset"}:
        getattr(alarms, command)(FLOW, now_us)
    elif command == "shelve":
        alarms.shelve(FLOW, now_us + 4 * MINUTE_US)
    else:
        alarms.unshelve(FLOW)


@given(READINGS, RULES, st.dictionaries(st.integers(0, 59), COMMANDS), st.sets(st.integers(0, 59)))
def test_cutting_anywhere_equals_not_cutting(readings, rules, commands, cuts) -> None:
    whole, parts = Alarms("north", rules), Alarms("north", rules)
    for place, estimate in enumerate(make_estimates(readings)):
        if place in cuts:
            stored = msgspec.json.decode(msgspec.json.encode(parts.state), type=AlarmsState)
            parts = Alarms("north", rules, state=stored)
        assert parts.update(estimate) == whole.update(estimate)
        if place in commands:
            for alarms in (whole, parts):
                obey(alarms, commands[place], estimate.window_end_us)
        assert parts.tags() == whole.tags()
        assert parts.in_flood == whole.in_flood


@given(READINGS, RULES, st.dictionaries(st.integers(0, 59), COMMANDS))
def test_each_alert_goes_on_from_the_one_before(readings, rules, commands) -> None:
    alarms = Alarms("north", rules)
    alerts = []
    for place, estimate in enumerate(make_estimates(readings)):
        alerts.extend(alarms.update(estimate))
        if place in commands:
            obey(alarms, commands[place], estimate.window_end_us)
    told = 0
    for alert in alerts:
        assert alert.previous_stage == told
        if alert.kind is AlertKind.RAISED:
            assert alert.stage >= rules.from_stage
        elif alert.kind is AlertKind.ESCALATED:
            assert alert.stage > told > 0
        elif alert.kind is AlertKind.DE_ESCALATED:
            assert rules.from_stage <= alert.stage < told
        else:
            assert alert.kind is AlertKind.CLEARED
            assert alert.stage == 0 < told
        told = alert.stage
    assert len({alert.id for alert in alerts}) == len(alerts)

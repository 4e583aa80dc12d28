"""Alarms: from stages, reading by reading, to what people are told and what they answer.

alarms = Alarms("north", AlarmRules())
for estimate in estimates:
    for alert in alarms.update(estimate): ...

Each tag (detector and channel) has a ladder of levels, from `from_stage` to 4. A level comes on
once readings have been at or above it for the on-delay, and goes off once they have been `deadband`
or more below it for the off-delay. The highest level that is on is the alarm's stage: it is raised
with the first, cleared with the last, and escalates and de-escalates between them.

Delays are counted in judged time: each reading with a stage counts for the step that ends with it,
at most `step_s`. So a detector that does not apply, a lost minute and a gap stop the clock of both
delays, and neither raise nor clear. A clock that is set back counts as no time. A reading of the
very time of the one before is the same reading, and is passed over.

States are those of ANSI/ISA-18.2-2016 (IEC 62682), see `alarm_state` and docs/alarms.md.
"""

from collections.abc import Mapping, Sequence

import msgspec
from msgspec.structs import replace

from wearcast.signals.alarm_rules import AlarmRules, Tag
from wearcast.signals.alarm_state import AlarmsState, State, TagState, TagView, find_state
from wearcast.signals.alerts import Alert, AlertKind, alerts_every, make_alert
from wearcast.signals.errors import InputError
from wearcast.signals.estimate import DetectorStage, Estimate
from wearcast.signals.stages import SEVERE

__all__ = ["AlarmRules", "Alarms", "AlarmsState", "State", "Tag", "TagView", "alerts_every"]

_NO_RULES: Mapping[str, AlarmRules] = {}


class Alarms:
    """The alarms of one asset, from the estimates of an outlier model.

    by_tag: rules for single tags, by their text, such as "flow_rate system"; a flood is counted by
    `rules`. state: where an earlier one stood; this one goes on as if it had never stopped.
    step_s: time between two readings.
    """

    def __init__(
        self,
        asset: str,
        rules: AlarmRules,
        by_tag: Mapping[str, AlarmRules] = _NO_RULES,
        state: AlarmsState | None = None,
        *,
        step_s: float = 60.0,
    ) -> None:
        self._asset = asset
        self._rules = rules
        self._by_tag = dict(by_tag)
        self._state = _copy(state) if state else AlarmsState()
        self._tags = {Tag(item.detector, item.channel): item for item in self._state.tags}
        self._step_us = round(step_s * 1e6)

    @property
    def state(self) -> AlarmsState:
        """A copy of all that is remembered."""
        return _copy(self._state)

    def update(self, estimate: Estimate) -> list[Alert]:
        """Take the next estimate; give what people must be told.

        Raises:
            MismatchError: it is not of a model of kind outlier.
        """
        alerts = []
        for reading in estimate.outlier.stages:
            tag = Tag(reading.detector, reading.channel)
            known = self._tags.get(tag)
            if known is None:
                known = self._tags[tag] = TagState(*tag)
                self._state.tags.append(known)
            if known.newest_us == estimate.window_end_us:
                continue
            change = self._follow(known, reading, estimate.window_end_us)
            if change is not None:
                kind, stage, told = change
                alert = make_alert(
                    estimate, self._asset, reading, kind, stage=stage, previous_stage=told
                )
                alerts.append(replace(alert, id=f"{alert.id}/{known.alerts}"))
        self._count_flood(estimate.window_end_us, alerts)
        return alerts

    def acknowledge(self, tag: Tag, time_us: int) -> None:
        """A person has seen the alarm; nothing happens where there is none to be seen.

        Raises:
            InputError: no such tag has been judged yet.
        """
        known = self._find(tag)
        if not known.acknowledged and known.shelved_until_us is None:
            known.acknowledged = True
            known.since_us = time_us

    def reset(self, tag: Tag, time_us: int) -> None:
        """End a latched alarm that has returned; it is cleared with the next reading.

        Raises:
            InputError: no such tag has been judged yet.
        """
        known = self._find(tag)
        if known.latched:
            known.latched = False
            known.acknowledged = True
            known.since_us = time_us

    def shelve(self, tag: Tag, until_us: int) -> None:
        """Tell nothing of an alarm until a time; it is tracked on. It counts as acknowledged.

        The first reading at or after that time ends the shelving: an alarm that is on is raised
        then, one that was told before and is off is cleared.

        Raises:
            InputError: no such tag has been judged yet.
        """
        known = self._find(tag)
        if known.shelved_until_us is None:
            known.since_us = known.newest_us
        known.shelved_until_us = until_us
        known.acknowledged = True

    def unshelve(self, tag: Tag) -> None:
        """End the shelving with the next reading.

        Raises:
            InputError: no such tag has been judged yet.
        """
        known = self._find(tag)
        if known.shelved_until_us is not None:
            known.shelved_until_us = 0

    def tags(self) -> list[TagView]:
        """Every alarm as it stands, in the order in which tags were first judged."""
        return [
            TagView(
                tag=tag,
                state=find_state(known, self._level(known)),
                stage=known.stage,
                alarm_stage=self._level(known),
                since_us=known.since_us,
                until_us=known.shelved_until_us,
                raised=known.raised,
                chattering=len(known.recent_us) >= self._rules_of(known).chatter_count,
            )
            for tag, known in self._tags.items()
        ]

    @property
    def active(self) -> int:
        """How many alarms are on, but for shelved ones."""
        return sum(
            self._level(known) > 0 and known.shelved_until_us is None
            for known in self._tags.values()
        )

    @property
    def in_flood(self) -> bool:
        """Whether more alarms come than a person can follow."""
        return self._state.flood

    def _find(self, tag: Tag) -> TagState:
        known = self._tags.get(Tag(*tag))
        if known is None:
            names = ", ".join(sorted(item.text for item in self._tags)) or "none yet"
            raise InputError("tag", f"one that was judged ({names})", repr(Tag(*tag).text))
        return known

    def _rules_of(self, known: TagState) -> AlarmRules:
        if not self._by_tag:
            return self._rules
        return self._by_tag.get(Tag(known.detector, known.channel).text, self._rules)

    def _level(self, known: TagState) -> int:
        """Stage of the alarm: the highest level that is on; 0: none."""
        for stage in range(SEVERE, self._rules_of(known).from_stage - 1, -1):
            if known.levels[stage - 1]:
                return stage
        return 0

    def _follow(
        self, known: TagState, reading: DetectorStage, time_us: int
    ) -> tuple[AlertKind, int, int] | None:
        """Take a reading of a tag; give what happened, the stage now and the one told before."""
        rules = self._rules_of(known)
        before = self._level(known)
        state = find_state(known, before)
        _climb(known, reading.stage, time_us, rules, self._step_us)
        level = self._level(known)
        known.recent_us = _drop_old(known.recent_us, time_us, rules.chatter_s)
        if level > 0 and before == 0:
            known.raised += 1
            known.recent_us.append(time_us)
        unshelved = known.shelved_until_us is not None and time_us >= known.shelved_until_us
        if unshelved:
            known.shelved_until_us = None
        if level > before or (unshelved and level > 0):
            known.acknowledged = known.latched = False
        elif level == 0 and before > 0 and known.told > 0:
            known.latched = rules.latching
        if unshelved and level == 0:
            known.acknowledged = True
        kind = _name_change(known, level, begins=before == 0 or unshelved)
        told = known.told
        if kind is not None:
            known.told = level
            known.alerts += 1
        if find_state(known, level) != state:
            known.since_us = time_us
        return None if kind is None else (kind, level, told)

    def _count_flood(self, time_us: int, alerts: Sequence[Alert]) -> None:
        state, rules = self._state, self._rules
        state.raised_us = _drop_old(state.raised_us, time_us, rules.flood_s)
        state.raised_us += [time_us for alert in alerts if alert.kind is AlertKind.RAISED]
        if len(state.raised_us) > rules.flood_count:
            state.flood = True
        elif len(state.raised_us) < rules.flood_count / 2:
            state.flood = False


def _copy(state: AlarmsState) -> AlarmsState:
    # Several times faster than copy.deepcopy.
    return msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=AlarmsState)


def _climb(
    known: TagState, stage: int | None, time_us: int, rules: AlarmRules, step_us: int
) -> None:
    """Let the levels follow a reading."""
    passed_us = 0 if known.newest_us is None else min(time_us - known.newest_us, step_us)
    known.newest_us, known.stage = time_us, stage
    if stage is None:
        return
    for place in range(rules.from_stage - 1, SEVERE):
        on, level = known.levels[place], place + 1
        if not (stage <= level - rules.deadband if on else stage >= level):
            known.against_us[place] = None
            continue
        held_us = known.against_us[place]
        held_us = 0 if held_us is None else held_us + max(passed_us, 0)
        switches = held_us >= 1e6 * (rules.off_delay_s if on else rules.on_delay_s)
        known.levels[place] = on != switches
        known.against_us[place] = None if switches else held_us


def _name_change(known: TagState, level: int, *, begins: bool) -> AlertKind | None:
    """What must be told of an alarm whose stage is now `level`; None: nothing."""
    if known.shelved_until_us is not None:
        return None
    if level > 0 and (begins or known.told == 0):
        return AlertKind.RAISED
    if level > known.told:
        return AlertKind.ESCALATED
    if 0 < level < known.told:
        return AlertKind.DE_ESCALATED
    return AlertKind.CLEARED if known.told > level and not known.latched else None


def _drop_old(times_us: Sequence[int], now_us: int, span_s: float) -> list[int]:
    """The times of the last `span_s`; those that a clock which was set back has not come to, go."""
    return [time_us for time_us in times_us if now_us - span_s * 1e6 < time_us <= now_us]

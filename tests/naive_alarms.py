"""Alarms by brute force: each reading's alarm from all readings up to it."""

from wearcast.signals.alarm_rules import AlarmRules


def naive_levels(
    readings: list[tuple[int, int | None]], rules: AlarmRules, step_us: int
) -> list[int]:
    """The alarm's stage after each reading, of pairs (time, stage)."""
    clock_us, judged = 0, []  # judged: (clock, stage, place)
    for place, (time_us, stage) in enumerate(readings):
        passed_us = time_us - readings[place - 1][0] if place else 0
        if stage is not None:
            clock_us += min(max(passed_us, 0), step_us)
            judged.append((clock_us, stage, place))
    levels = [0] * len(readings)
    for level in range(rules.from_stage, 5):
        for place in _naive_on(judged, level, rules, len(readings)):
            levels[place] = level
    return levels


def _naive_on(judged: list, level: int, rules: AlarmRules, count: int) -> list[int]:
    """Places of the readings after which a level is on."""
    on, begin, places = False, 0, {}
    for end in range(len(judged)):
        delay_s = rules.off_delay_s if on else rules.on_delay_s
        for first in range(begin, end + 1):
            contrary = [
                stage <= level - rules.deadband if on else stage >= level
                for _, stage, _ in judged[first : end + 1]
            ]
            if all(contrary) and judged[end][0] - judged[first][0] >= delay_s * 1e6:
                on, begin = not on, end + 1
                break
        places[judged[end][2]] = on
    known, found = False, []
    for place in range(count):
        known = places.get(place, known)
        if known:
            found.append(place)
    return found

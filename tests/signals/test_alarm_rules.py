"""Rules of alarms that can't be, and the texts of tags."""

import math

import msgspec
import pytest

from wearcast.signals.alarm_rules import AlarmRules, Tag, check_tags
from wearcast.signals.errors import InputError


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("from_stage", 0, "1 to 4"),
        ("from_stage", 5, "1 to 4"),
        ("on_delay_s", -1.0, "0 or more seconds"),
        ("on_delay_s", math.nan, "0 or more seconds"),
        ("off_delay_s", math.inf, "0 or more seconds"),
        ("deadband", 0, "1 to from_stage, 3"),
        ("deadband", 4, "1 to from_stage, 3"),
        ("chatter_count", 1, "2 or more"),
        ("chatter_s", 0.0, "more than 0 seconds"),
        ("flood_count", 0, "1 or more"),
        ("flood_s", -5.0, "more than 0 seconds"),
    ],
)
def test_a_rule_out_of_range_is_named(field: str, value: float, expected: str) -> None:
    with pytest.raises(InputError) as caught:
        AlarmRules(**{field: value})
    assert str(caught.value) == f"alarms.{field}: expected {expected}, got {value}"


def test_rules_go_to_json_and_back() -> None:
    rules = AlarmRules(from_stage=2, latching=True, chatter_s=60.0)
    assert msgspec.json.decode(msgspec.json.encode(rules), type=AlarmRules) == rules


def test_a_rule_that_there_is_not_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="on_delay"):
        msgspec.convert({"on_delay": 3}, AlarmRules)


@pytest.mark.parametrize("tag", [Tag("system", "flow rate"), Tag("multivariate", "")])
def test_a_tag_is_read_as_it_is_written(tag: Tag) -> None:
    assert Tag.parse(tag.text) == tag


def test_a_text_that_is_no_tag_is_refused() -> None:
    with pytest.raises(InputError, match="tag: expected \"CHANNEL DETECTOR\", got 'system'"):
        Tag.parse("system")


def test_rules_for_a_tag_that_there_is_not_are_refused() -> None:
    check_tags(["flow system"], [Tag("system", "flow")])
    with pytest.raises(InputError, match="by_tag: expected one of flow system, got 'flow night'"):
        check_tags(["flow night"], [Tag("system", "flow")])

"""Each form of an alert fits the schema that ships, and what is not one does not."""

import json
from importlib.resources import files
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wearcast.signals.alert_formats import SCHEMA, encode_alert
from wearcast.signals.alerts import Alert, AlertKind
from wearcast.signals.clock import parse_time
from wearcast.signals.errors import InputError

FORMS = ("bare", "cloudevents")
ALERT = Alert(
    id="north/flow-outlier/night/flow_rate/2024-05-01T02:03:00.000000Z/ESCALATED/2",
    asset="north",
    kind=AlertKind.ESCALATED,
    time_us=parse_time("2024-05-01T02:03:00Z"),
    detector="night",
    channel="flow_rate",
    unit="m3/h",
    stage=4,
    previous_stage=3,
    value=41.25,
    model="flow-outlier",
    quality=("AFTER_GAP",),
)


def read_schema(form: str) -> dict[str, Any]:
    return json.loads((files("wearcast") / "schemas" / f"alert-{form}.json").read_text())


def check(form: str, line: object) -> None:
    schema = read_schema(form)
    checker = jsonschema.FormatChecker()
    jsonschema.Draft202012Validator(schema, format_checker=checker).validate(line)


@pytest.mark.parametrize("form", FORMS)
def test_the_schema_is_one(form: str) -> None:
    jsonschema.Draft202012Validator.check_schema(read_schema(form))


def test_the_bare_form_is_exactly_these_four() -> None:
    assert encode_alert(ALERT, "bare", 17) == (
        b'{"machine_number":17,"time":"2024-05-01T02:03:00.000000Z","outlier_stage":4,'
        b'"value":41.25}\n'
    )


def test_the_cloudevents_form_says_all() -> None:
    line = encode_alert(ALERT, "cloudevents", "P-17")
    assert line.endswith(b"}\n")
    assert line.count(b"\n") == 1
    assert json.loads(line) == {
        "specversion": "1.0",
        "id": ALERT.id,
        "source": "urn:wearcast:asset:north",
        "type": "wearcast.alert.escalated",
        "time": "2024-05-01T02:03:00.000000Z",
        "subject": "flow_rate night",
        "datacontenttype": "application/json",
        "dataschema": SCHEMA,
        "data": {
            "machine_number": "P-17",
            "asset": "north",
            "model": "flow-outlier",
            "detector": "night",
            "channel": "flow_rate",
            "unit": "m3/h",
            "severity": "severe",
            "outlier_stage": 4,
            "previous_stage": 3,
            "value": 41.25,
            "cause": None,
            "quality": ["AFTER_GAP"],
        },
    }


def test_the_machine_number_is_the_asset_where_none_is_given() -> None:
    assert json.loads(encode_alert(ALERT, "bare"))["machine_number"] == "north"


def test_a_form_that_there_is_not_is_refused() -> None:
    with pytest.raises(InputError, match="format: expected bare or cloudevents, got 'xml'"):
        encode_alert(ALERT, "xml")


TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)


@st.composite
def alerts(draw: st.DrawFn) -> Alert:
    kind = draw(st.sampled_from(AlertKind))
    cleared = kind is AlertKind.CLEARED
    return Alert(
        id=draw(TEXTS),
        asset=draw(TEXTS),
        kind=kind,
        time_us=draw(st.integers(0, 253_370_764_799_999_999)),
        detector=draw(TEXTS),
        channel=draw(st.just("") | TEXTS),
        unit=draw(st.just("") | TEXTS),
        stage=0 if cleared else draw(st.integers(1, 4)),
        previous_stage=draw(st.integers(0, 4)),
        value=draw(st.none() | st.floats(allow_nan=False, allow_infinity=False)),
        cause=draw(st.sampled_from(["", "STUCK"])),
        model=draw(TEXTS),
        quality=tuple(draw(st.lists(TEXTS, max_size=2))),
    )


@pytest.mark.parametrize("form", FORMS)
@given(alert=alerts(), number=st.none() | st.integers(0, 2**53) | TEXTS)
def test_every_alert_fits_its_schema(form: str, alert: Alert, number: int | str | None) -> None:
    line = json.loads(encode_alert(alert, form, number))
    check(form, line)
    inner = line if form == "bare" else line["data"]
    assert inner["value"] == (None if alert.value is None else pytest.approx(alert.value, rel=1e-6))
    assert inner["machine_number"] == (alert.asset if number is None else number)


@pytest.mark.parametrize(
    "wrong",
    [
        {"machine_number": None},
        {"machine_number": 1.5},
        {"time": "2024-05-01 02:03:00"},
        {"time": "2024-05-01T02:03:00+09:00"},
        {"time": "2024-05-01T02:03:00Z"},
        {"outlier_stage": 5},
        {"outlier_stage": None},
        {"outlier_stage": "3"},
        {"value": "41.25"},
        {"unit": "m3/h"},
    ],
    ids=str,
)
def test_what_is_no_bare_alert_is_refused(wrong: dict[str, object]) -> None:
    line = json.loads(encode_alert(ALERT, "bare"))
    with pytest.raises(jsonschema.ValidationError):
        check("bare", line | wrong)


@pytest.mark.parametrize("form", FORMS)
def test_nothing_may_be_left_out(form: str) -> None:
    line = json.loads(encode_alert(ALERT, form))
    for name in line:
        with pytest.raises(jsonschema.ValidationError, match=name):
            check(form, {key: value for key, value in line.items() if key != name})
    for name in line.get("data", {}):
        data = {key: value for key, value in line["data"].items() if key != name}
        with pytest.raises(jsonschema.ValidationError, match=name):
            check(form, line | {"data": data})


@pytest.mark.parametrize(
    "wrong",
    [
        {"specversion": "0.3"},
        {"id": ""},
        {"source": "north"},
        {"type": "wearcast.alert.other"},
        {"datacontenttype": "text/plain"},
        {"dataschema": "urn:other"},
        {"type": "wearcast.alert.cleared"},
        {"data": "severe"},
    ],
    ids=str,
)
def test_what_is_no_cloudevent_of_ours_is_refused(wrong: dict[str, object]) -> None:
    line = json.loads(encode_alert(ALERT, "cloudevents"))
    with pytest.raises(jsonschema.ValidationError):
        check("cloudevents", line | wrong)

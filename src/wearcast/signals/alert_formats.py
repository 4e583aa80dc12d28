"""How an alert is written: one line of JSON, in one of two forms.

bare: exactly machine_number, time, outlier_stage and value, for systems that take no more.
cloudevents: the same and all else, in a CloudEvents 1.0 envelope (JSON Event Format 1.0).
`wearcast/schemas/alert-FORM.json` are their JSON Schemas; see docs/alarms.md.
"""

from typing import Literal, get_args
from urllib.parse import quote

import msgspec

from wearcast.signals.alarm_rules import Tag
from wearcast.signals.alerts import Alert
from wearcast.signals.clock import format_time
from wearcast.signals.errors import InputError

Form = Literal["bare", "cloudevents"]
SCHEMA = "urn:wearcast:schema:alert:1"
SEVERITIES = ("normal", "interest", "caution", "alert", "severe")


def encode_alert(alert: Alert, form: Form, machine_number: int | str | None = None) -> bytes:
    """One line of JSON in UTF-8, with its end of line.

    machine_number: what the plant's own systems call the asset; None: its name.

    Raises:
        InputError: there is no such form.
    """
    number = alert.asset if machine_number is None else machine_number
    line: dict[str, object]
    if form == "bare":
        line = {
            "machine_number": number,
            "time": format_time(alert.time_us),
            "outlier_stage": alert.stage,
            "value": _round(alert.value),
        }
    elif form == "cloudevents":
        line = _wrap(alert, number)
    else:
        raise InputError("format", " or ".join(get_args(Form)), repr(form))
    return msgspec.json.encode(line) + b"\n"


def _round(value: float | None) -> float | None:
    """To the digits that a model's numbers have."""
    return None if value is None else float(f"{value:.7g}")


def _wrap(alert: Alert, machine_number: int | str) -> dict[str, object]:
    kind = alert.kind.lower().replace("_", "-")
    return {
        "specversion": "1.0",
        "id": alert.id,
        "source": f"urn:wearcast:asset:{quote(alert.asset, safe='')}",
        "type": f"wearcast.alert.{kind}",
        "time": format_time(alert.time_us),
        "subject": Tag(alert.detector, alert.channel).text,
        "datacontenttype": "application/json",
        "dataschema": SCHEMA,
        "data": {
            "machine_number": machine_number,
            "asset": alert.asset,
            "model": alert.model,
            "detector": alert.detector,
            "channel": alert.channel or None,
            "unit": alert.unit,
            "severity": SEVERITIES[alert.stage],
            "outlier_stage": alert.stage,
            "previous_stage": alert.previous_stage,
            "value": _round(alert.value),
            "cause": alert.cause or None,
            "quality": alert.quality,
        },
    }

"""`wearcast stream --alerts`: alerts as lines of JSON on standard output."""

from collections.abc import Sequence
from typing import Literal

import click
import msgspec

from wearcast.signals.alarm_rules import AlarmRules
from wearcast.signals.alert_formats import Form, encode_alert
from wearcast.signals.alerts import Alert, alerts_every
from wearcast.signals.contract import Contract
from wearcast.signals.errors import InputError
from wearcast.signals.estimate import Estimate, Outlier

Emit = Literal["none", "every", "transitions"]


class AlertLines:
    """What is printed of alerts, if anything.

    Raises:
        InputError: rules are given and no alarms asked for, or one is not what it should be.
    """

    def __init__(
        self, emit: Emit, form: Form, machine_number: str | None, rules: dict[str, str]
    ) -> None:
        self._emit = emit
        self._form = form
        self._machine_number = None if machine_number is None else read_number(machine_number)
        if rules and emit != "transitions":
            raise InputError("alarm", "--alerts transitions too", f"--alerts {emit}")
        self.rules = _read_rules(rules) if emit == "transitions" else None

    @property
    def wanted(self) -> bool:
        """Whether alerts are printed, instead of estimates."""
        return self._emit != "none"

    def check(self, contracts: Sequence[Contract]) -> None:
        """Refuse a stream that has no alerts.

        Raises:
            InputError: no model of it is of kind outlier.
        """
        if self.wanted and all(contract.outlier is None for contract in contracts):
            names = ", ".join(contract.name for contract in contracts)
            raise InputError("alerts", "a model of kind outlier", names)

    def show(self, event: Estimate | Alert, asset: str) -> None:
        """Print the alerts that there are with an event."""
        if isinstance(event, Alert):
            self._echo(event)
        elif self._emit == "every" and isinstance(event.answer, Outlier):
            for alert in alerts_every(event, asset):
                self._echo(alert)

    def _echo(self, alert: Alert) -> None:
        click.echo(encode_alert(alert, self._form, self._machine_number), nl=False)


def read_number(text: str) -> int | str:
    """A machine number: a number if it is written as one.

    >>> read_number("17"), read_number("017"), read_number("P-17")
    (17, '017', 'P-17')
    """
    return int(text) if text.isascii() and text.isdecimal() and str(int(text)) == text else text


def _read_rules(texts: dict[str, str]) -> AlarmRules:
    try:
        return msgspec.convert(texts, AlarmRules, strict=False)
    except msgspec.ValidationError as error:
        names = ", ".join(AlarmRules.__struct_fields__)
        raise InputError("alarm", f"NAME=VALUE, with a name of {names}", error) from error

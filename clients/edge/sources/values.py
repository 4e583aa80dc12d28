"""What a source sends as a value: a number, nothing, or something else."""

import math

Value = tuple[float | None, tuple[str, ...]]

GARBLED: Value = (None, ("GARBLED",))
"""Something came that is no number."""
MISSING: Value = (None, ())
"""The sender says that it has none."""

_NOTHING = frozenset(["", "-", "nan", "null", "none", "na", "n/a"])


def read_text(text: str) -> Value:
    """Value of a text.

    >>> read_text(" 40.2"), read_text("NaN"), read_text("ERR"), read_text("inf")
    ((40.2, ()), (None, ()), (None, ('GARBLED',)), (None, ('GARBLED',)))
    """
    try:
        value = float(text)
    except ValueError:
        return MISSING if text.strip().lower() in _NOTHING else GARBLED
    if math.isfinite(value) and "_" not in text:  # Python takes 1_000 for a number
        return value, ()
    return MISSING if math.isnan(value) else GARBLED


def read_number(value: object) -> Value:
    """Value of what stood in JSON.

    >>> read_number(40), read_number(None), read_number("40"), read_number(True)
    ((40.0, ()), (None, ()), (None, ('GARBLED',)), (None, ('GARBLED',)))
    """
    if value is None:
        return MISSING
    if isinstance(value, bool) or not isinstance(value, int | float):
        return GARBLED
    try:
        number = float(value)
    except OverflowError:  # an integer of hundreds of digits
        return GARBLED
    if math.isnan(number):
        return MISSING
    return (number, ()) if math.isfinite(number) else GARBLED

"""The types of options that take durations such as `10min`, and give seconds."""

from click import BadParameter
from click.types import FuncParamType

from wearcast.signals.duration import parse_duration
from wearcast.signals.errors import InputError


def duration(value: str | float) -> float:
    """Seconds of a text; a default that is seconds already stays."""
    if not isinstance(value, str):
        return float(value)
    try:
        return parse_duration(value)
    except InputError as error:
        # click names the option itself.
        raise BadParameter(str(error).removeprefix("duration: ")) from error


def durations(value: str | tuple[float, ...]) -> tuple[float, ...]:
    """Seconds of each duration in a list with commas."""
    if not isinstance(value, str):
        return value
    return tuple(duration(part) for part in value.split(","))


DURATION = FuncParamType(duration)
DURATIONS = FuncParamType(durations)

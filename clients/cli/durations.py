"""The type of options that take durations such as `10min`, and gives seconds."""

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


DURATION = FuncParamType(duration)

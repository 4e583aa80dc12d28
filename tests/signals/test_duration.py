import pytest

from wearcast.signals.duration import parse_duration
from wearcast.signals.errors import InputError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("250ms", 0.25),
        ("30s", 30),
        ("1min", 60),
        ("10 min", 600),
        ("1.5h", 5400),
        ("1d", 86_400),
        ("2w", 1_209_600),
    ],
)
def test_a_number_and_a_unit_make_a_duration(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "10", "min", "-1min", "0s", "1 month", "1h30", "1e3s", "\u0661s"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(
        InputError, match=r"step: expected a duration above 0, such as 30s, .* got "
    ):
        parse_duration(text, "step")

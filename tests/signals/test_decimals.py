import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from wearcast.signals.decimals import parse_decimals

PLAIN = st.from_regex(r"-?[0-9]{1,3}(\.[0-9]{0,3})?|-?\.[0-9]{1,4}", fullmatch=True)
ANYTHING = st.text("0123456789.-+e, ", min_size=1, max_size=9)


def lay_out(cells: list[str]) -> tuple[bytes, np.ndarray, np.ndarray]:
    text = "9,39,39,"
    starts = []
    for cell in cells:
        starts.append(len(text))
        text += cell + ","
    ends = [start + len(cell) for start, cell in zip(starts, cells, strict=True)]
    return text.encode(), np.array(starts), np.array(ends)


@given(st.lists(PLAIN, min_size=1, max_size=200))
def test_plain_numbers_are_the_floats_python_reads(cells: list[str]) -> None:
    numbers = parse_decimals(*lay_out(cells))
    np.testing.assert_array_equal(numbers, [float(cell) for cell in cells])


@given(st.lists(PLAIN, max_size=5), ANYTHING)
def test_anything_else_is_read_right_or_not_at_all(cells: list[str], odd: str) -> None:
    numbers = parse_decimals(*lay_out([*cells, odd]))
    if numbers is not None:
        assert numbers[-1] == float(odd)


def test_numbers_at_the_very_start_are_left_to_others() -> None:
    assert parse_decimals(b"0.5,1.5,2.5", np.array([0]), np.array([3])) is None
    assert parse_decimals(b"", np.array([], dtype=int), np.array([], dtype=int)) is None

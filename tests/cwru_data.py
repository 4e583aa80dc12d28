"""Real recordings: those of the CWRU bearing data center beside the repository."""

from pathlib import Path

import pytest

from wearcast.signals.bearing_orders import bearing_orders

CWRU = Path(__file__).parents[1] / ".." / "shared" / "data" / "cwru"
# The drive end's SKF 6205: 9 balls, 0.3126 and 1.537 inches. Source: the data center's page.
CWRU_BEARING = bearing_orders(9, 7.94, 39.04)


def find_cwru() -> Path:
    """The folder; skips the test where it is absent."""
    if not CWRU.is_dir():
        pytest.skip("real data is absent: ../shared/data/cwru")
    return CWRU

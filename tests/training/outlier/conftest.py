import pytest
from plant_rows import make_rows

from wearcast.signals.rows import Rows
from wearcast.training.checkpoint import Checkpoint
from wearcast.training.outlier.train import train_outlier


@pytest.fixture(scope="session")
def rows() -> Rows:
    """Four weeks, a reading in a hundred missing."""
    return make_rows(28, missing=0.01)


@pytest.fixture(scope="session")
def checkpoint(rows: Rows) -> Checkpoint:
    """Fitted to four weeks of one minute a row, by the hour of the week, with a night."""
    return train_outlier(rows, units={"flow_rate": "m3/h", "pressure": "bar"})

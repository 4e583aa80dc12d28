import pytest

from wearcast.signals.simulation.plant_simulation import Plant, SimulatedPlant, simulate_plant


@pytest.fixture(scope="session")
def year() -> SimulatedPlant:
    """A year of the plant as it is by default; not to be written to."""
    return simulate_plant(Plant())

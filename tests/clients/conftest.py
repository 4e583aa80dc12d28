from collections.abc import Iterator
from pathlib import Path

import pytest
from program import bearing_contract, write_snapshot
from running import RunningServer, running_server
from tiny import write_tiny_model


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A MODELS_DIR that holds `bearing-rul/1`, the tiny model on PRONOSTIA's snapshots."""
    models_dir = tmp_path_factory.mktemp("bearing-models")
    write_tiny_model(models_dir, bearing_contract())
    return models_dir


@pytest.fixture(scope="session")
def server(models: Path) -> Iterator[RunningServer]:
    with running_server(models) as running:
        yield running


@pytest.fixture(scope="session")
def bearing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bearing folder of 40 snapshots; number 21 is a row short."""
    folder = tmp_path_factory.mktemp("recordings") / "Bearing9_1"
    for number in range(1, 41):
        write_snapshot(folder, number, rows=2559 if number == 21 else 2560)
    (folder / "temp_00001.csv").write_text("9,0,10,0,66.0\n")
    return folder

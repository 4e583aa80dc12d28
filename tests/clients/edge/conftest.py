from pathlib import Path

import pytest
from tiny_plant import write_plant_models


@pytest.fixture(scope="session")
def plant_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A MODELS_DIR with the two tiny models of a plant; not to be written to."""
    folder = tmp_path_factory.mktemp("plant-models")
    write_plant_models(folder)
    return folder

from dataclasses import replace
from pathlib import Path

import pytest
from checkpoints import make_checkpoint
from gear_files import small_block
from machines import SETTINGS, make_machines
from rotor_instants import make_rotor

import wearcast
from wearcast.export.model_folder import export_checkpoint
from wearcast.signals.simulation.plant_simulation import Plant, simulate_plant
from wearcast.training.checkpoint import Checkpoint, save_checkpoint
from wearcast.training.fault.part_d import InstantFitting, train_instants
from wearcast.training.fault.spectral import GROUPS
from wearcast.training.fault.spectral_train import train_spectral
from wearcast.training.forecast.gear_train import train_gear
from wearcast.training.forecast.train import ForecastSettings, train_forecast

MODELS = Path(wearcast.__file__).parent / "models"
BUNDLED = sorted(MODELS.glob("*/*/"))
NAMES = ["bearing-fault", "bearing-rul", "flow-forecast", "flow-outlier"]
assert [path.parent.name for path in BUNDLED] == NAMES, "a bundled model is missing"
SEQUENCE = 3
FRESH = {"cnn-lstm": {"sequence": SEQUENCE}, "compact": {"sequence": SEQUENCE, "members": 2}}
# Bundled are the linear forecaster and the detectors; these are trained a little, on a few days.
FORECASTERS = ("lstm", "hybrid")
INSTANTS = ("dnn", "cnn", "rnn")


@pytest.fixture(scope="session")
def pth(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small checkpoint; treat it as read-only."""
    path = tmp_path_factory.mktemp("checkpoint") / "small.pth"
    save_checkpoint(path, make_checkpoint())
    return path


def train_a_little(architecture: str) -> Checkpoint:
    settings = ForecastSettings(
        window=20, horizons_s=(600.0, 1200.0), mean_s=300.0, every_s=300.0, epochs=1
    )
    rows = simulate_plant(Plant(days=4, seed=3)).measured
    targets = ["flow_rate", "pressure"]
    return train_forecast(rows, architecture, targets=targets, settings=settings).checkpoint


@pytest.fixture(
    scope="session",
    params=[*BUNDLED, *FRESH, *FORECASTERS, *INSTANTS, "spectral", "gear-lstm"],
    ids=lambda case: "-".join(Path(case).parts[-2:]),
)
def model_folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every bundled model folder, and one freshly exported for each architecture at full size."""
    if isinstance(request.param, Path):
        return request.param
    out_dir = tmp_path_factory.mktemp("models")
    path = out_dir / "fresh.pth"
    if request.param in FORECASTERS:
        checkpoint = train_a_little(request.param)
    elif request.param == "spectral":
        # Here it looks at everything; the bundled one looks at the envelope alone.
        settings = replace(SETTINGS, look=GROUPS)
        checkpoint = train_spectral(make_machines("ABC"), settings).checkpoint
    elif request.param == "gear-lstm":
        checkpoint = train_gear(small_block(), hidden=16, epochs=2).checkpoint
    elif request.param in INSTANTS:
        fitting = InstantFitting(epochs=3)
        checkpoint = train_instants(make_rotor(), request.param, fitting=fitting).checkpoint
    else:
        checkpoint = make_checkpoint(request.param, FRESH[request.param], sequence=SEQUENCE)
    save_checkpoint(path, checkpoint)
    return export_checkpoint(path, "fresh", out_dir, [1, 4]).folder

from pathlib import Path

import pytest
from checkpoints import make_checkpoint

import wearcast
from wearcast.export.model_folder import export_checkpoint
from wearcast.training.checkpoint import save_checkpoint

MODELS = Path(wearcast.__file__).parent / "models"
BUNDLED = sorted(MODELS.glob("*/*/"))
assert MODELS / "bearing-rul" / "1" in BUNDLED, "the bundled model is missing"
SEQUENCE = 3
FRESH = {"cnn-lstm": {"sequence": SEQUENCE}, "compact": {"sequence": SEQUENCE, "members": 2}}


@pytest.fixture(scope="session")
def pth(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small checkpoint; treat it as read-only."""
    path = tmp_path_factory.mktemp("checkpoint") / "small.pth"
    save_checkpoint(path, make_checkpoint())
    return path


@pytest.fixture(
    scope="session", params=[*BUNDLED, *FRESH], ids=lambda case: "-".join(Path(case).parts[-2:])
)
def model_folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every bundled model folder, and one freshly exported for each architecture at full size."""
    if isinstance(request.param, Path):
        return request.param
    out_dir = tmp_path_factory.mktemp("models")
    path = out_dir / "fresh.pth"
    save_checkpoint(path, make_checkpoint(request.param, FRESH[request.param], sequence=SEQUENCE))
    return export_checkpoint(path, "fresh", out_dir, [1, 4]).folder

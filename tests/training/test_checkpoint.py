import pickle
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from checkpoints import make_checkpoint

from wearcast.signals.errors import ArtefactError
from wearcast.training.checkpoint import load_checkpoint, save_checkpoint


class Payload:
    """Unpickled without care, this makes a file."""

    def __init__(self, victim: Path) -> None:
        self.victim = victim

    def __reduce__(self) -> tuple:
        return Path.touch, (self.victim,)


def edit(path: Path, **changes: Any) -> None:
    """Change keys of a checkpoint file; None removes one."""
    contents = torch.load(path, weights_only=True) | changes
    torch.save({key: value for key, value in contents.items() if value is not None}, path)


@pytest.fixture
def pth(tmp_path: Path) -> Path:
    path = tmp_path / "model.pth"
    save_checkpoint(path, make_checkpoint())
    return path


def test_what_was_saved_is_loaded(pth: Path) -> None:
    saved, loaded = make_checkpoint(), load_checkpoint(pth)
    weights, loaded_weights = saved.state_dict, loaded.state_dict
    torch.testing.assert_close(loaded_weights, weights, rtol=0, atol=0)
    without = {"state_dict": {}}
    assert msgspec.structs.replace(loaded, **without) == msgspec.structs.replace(saved, **without)


def test_the_model_answers_as_before_saving(pth: Path) -> None:
    blocks = torch.randn(3, 2, 2, 2560)
    before, after = make_checkpoint().build_model(), load_checkpoint(pth).build_model()
    assert not after.training
    assert torch.equal(after(blocks), before(blocks))


def test_the_same_training_gives_the_same_bytes(pth: Path, tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "again.pth", make_checkpoint())
    assert (tmp_path / "again.pth").read_bytes() == pth.read_bytes()


def test_saving_what_is_not_plain_leaves_the_old_file(pth: Path) -> None:
    before = pth.read_bytes()
    odd = msgspec.structs.replace(make_checkpoint(), training={"folder": Path("data")})
    with pytest.raises(ArtefactError, match="a zip of tensors and plain values"):
        save_checkpoint(pth, odd)
    assert pth.read_bytes() == before
    assert list(pth.parent.iterdir()) == [pth]


@pytest.mark.parametrize("save", [torch.save, lambda it, path: path.write_bytes(pickle.dumps(it))])
def test_a_malicious_pickle_is_refused_and_not_run(tmp_path: Path, save: Any) -> None:
    victim = tmp_path / "victim"
    save({"format": 1, "config": Payload(victim)}, tmp_path / "evil.pth")
    with pytest.raises(ArtefactError, match=r"evil\.pth: expected a checkpoint"):
        load_checkpoint(tmp_path / "evil.pth")
    assert not victim.exists()


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_a_truncated_file_is_refused(pth: Path, share: float) -> None:
    contents = pth.read_bytes()
    pth.write_bytes(contents[: int(len(contents) * share)])
    with pytest.raises(ArtefactError, match="expected a checkpoint"):
        load_checkpoint(pth)


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.pth"
    path.write_text("hour,minute\n")
    with pytest.raises(ArtefactError, match="expected a checkpoint"):
        load_checkpoint(path)
    with pytest.raises(ArtefactError, match="No such file"):
        load_checkpoint(tmp_path / "none.pth")
    torch.save(torch.zeros(3), path)
    with pytest.raises(ArtefactError, match="expected a dictionary, got Tensor"):
        load_checkpoint(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 1}, "format: expected 2, got 1"),
        ({"format": None}, "format: expected 2, got none"),
        ({"sequence": None}, "missing required field `sequence`"),
        ({"sequence": 0}, r"Expected `int` >= 1 - at `\$.sequence`"),
        ({"hop_s": "10"}, r"Expected `float`, got `str` - at `\$.hop_s`"),
        ({"optimizer": {}}, "unknown field `optimizer`"),
        ({"channels": ["horizontal"]}, r"at `\$.channels\[0\]`"),
        ({"rul": {}}, r"missing required field `prior_log_mean` - at `\$.rul`"),
    ],
)
def test_names_the_key_that_is_wrong(pth: Path, changes: dict, message: str) -> None:
    edit(pth, **changes)
    with pytest.raises(ArtefactError, match=message):
        load_checkpoint(pth)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"output.bias": None}, r"state_dict.output.bias: expected float32 \(1,\), got none"),
        ({"output.bias": torch.zeros(2)}, r"expected float32 \(1,\), got float32 \(2,\)"),
        ({"output.bias": torch.zeros(1).double()}, r"expected float32 \(1,\), got float64 \(1,\)"),
        ({"output.bias": "zero"}, "got str"),
        ({"extra": torch.zeros(1)}, "state_dict: expected the architecture's tensors, got extra"),
    ],
)
def test_names_the_tensor_that_is_wrong(pth: Path, weights: dict, message: str) -> None:
    state = load_checkpoint(pth).state_dict | weights
    edit(pth, state_dict={name: value for name, value in state.items() if value is not None})
    checkpoint = load_checkpoint(pth)
    with pytest.raises(ArtefactError, match=message):
        checkpoint.build_model()

"""The models of part D: sizes, and what they answer to."""

import pytest
import torch

from wearcast.signals.errors import ArtefactError
from wearcast.training.architectures import build
from wearcast.training.fault.instants import Instants

BLOCKS = 10 * torch.randn(32, 1, 4, 15, generator=torch.Generator().manual_seed(0))


def make_model(architecture: str, **config: int) -> Instants:
    torch.manual_seed(0)
    model = build(architecture, config)
    assert isinstance(model, Instants)
    return model.eval()


@pytest.mark.parametrize(
    ("architecture", "parameters"), [("dnn", 21_104), ("cnn", 1_332), ("rnn", 123_604)]
)
def test_parameters_are_those_of_part_d(architecture: str, parameters: int) -> None:
    model = make_model(architecture)
    assert sum(weights.numel() for weights in model.parameters()) == parameters


@pytest.mark.parametrize("architecture", ["dnn", "cnn", "rnn"])
def test_an_answer_hangs_on_the_mean_of_a_block_alone(architecture: str) -> None:
    model = make_model(architecture)
    means = BLOCKS.mean(dim=3, keepdim=True).expand(-1, -1, -1, 15)
    with torch.no_grad():
        answers, of_means = model(BLOCKS), model(means)
        instants = model.classify(BLOCKS.mean(dim=3)[:, 0]).softmax(dim=1)
    assert answers.shape == (32, 4)
    torch.testing.assert_close(answers.sum(dim=1), torch.ones(32))
    torch.testing.assert_close(answers, of_means)
    torch.testing.assert_close(answers, instants)
    assert float(answers.std(dim=0).min()) > 1e-4


@pytest.mark.parametrize("architecture", ["dnn", "cnn", "rnn"])
def test_every_sensor_counts(architecture: str) -> None:
    model = make_model(architecture)
    with torch.no_grad():
        before = model(BLOCKS)
        for channel in range(4):
            changed = BLOCKS.clone()
            changed[:, :, channel] += 30
            assert not torch.allclose(model(changed), before, atol=1e-4)


def test_scaling_maps_what_it_was_fitted_to_to_0_to_1() -> None:
    model = make_model("dnn", channels=3)
    instants = torch.tensor([[1.0, -2.0, 5.0], [3.0, 0.0, 5.0], [2.0, 2.0, 5.0]])
    model.fit_scaling(instants)
    scaled = (instants - model.low) / model.span
    expected = torch.tensor([[0.0, 0.0, 0.0], [1.0, 0.5, 0.0], [0.5, 1.0, 0.0]])
    torch.testing.assert_close(scaled, expected)
    assert torch.equal(model.classify(instants), model.layers(expected))


def test_two_kernels_have_no_room_on_two_sensors() -> None:
    assert make_model("cnn", channels=3)(BLOCKS[:, :, :3]).shape == (32, 4)
    with pytest.raises(ArtefactError, match="channels: expected 3 or more, got 2"):
        build("cnn", {"channels": 2})

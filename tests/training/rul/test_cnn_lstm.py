import pytest
import torch
from checkpoints import SMALL_CNN_LSTM

from wearcast.signals.errors import ArtefactError
from wearcast.training.architectures import build
from wearcast.training.rul.cnn_lstm import CnnLstm, CnnLstmConfig


def test_has_the_original_number_of_parameters() -> None:
    model = CnnLstm(CnnLstmConfig())
    assert sum(weights.numel() for weights in model.parameters()) == 3_149_937
    assert CnnLstmConfig().sequence == 10


def test_snapshots_encoded_once_give_what_whole_windows_give() -> None:
    torch.manual_seed(0)
    model = build("cnn-lstm", SMALL_CNN_LSTM).eval()
    recording = torch.randn(6, 2, 2560)
    with torch.no_grad():
        features = model.encode(recording)
        shared = model.head(features.unfold(0, 3, 1).transpose(1, 2))
        whole = model(recording.unfold(0, 3, 1).permute(0, 3, 1, 2))
    assert shared.shape == (4,)
    torch.testing.assert_close(shared, whole, rtol=0, atol=1e-6)


def test_the_order_of_snapshots_matters_and_the_newest_counts() -> None:
    torch.manual_seed(0)
    model = build("cnn-lstm", SMALL_CNN_LSTM).eval()
    features = torch.randn(1, 5, 8)
    with torch.no_grad():
        assert model.head(features) != model.head(features.flip(1))
        states, _ = model.lstm(features)
        assert model.head(features) == model.output(states[:, -1]).sigmoid()


def test_every_weight_learns() -> None:
    torch.manual_seed(0)
    model = build("cnn-lstm", SMALL_CNN_LSTM)
    model(torch.randn(4, 2, 2, 2560)).sum().backward()
    still = [name for name, weights in model.named_parameters() if weights.grad is None]
    assert still == []


def test_names_an_unknown_architecture() -> None:
    with pytest.raises(ArtefactError, match=r"architecture: expected cnn-lstm or .* got gpt"):
        build("gpt", {})


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"depth": 3}, "config: expected keys of CnnLstmConfig, got depth"),
        ({"hidden": "256"}, r"config: .*Expected `int`, got `str` - at `\$.hidden`"),
        ({"window": 2559}, "window: expected a multiple of 128, got 2559"),
        ({"hidden": -1}, "config: expected values that CnnLstmConfig takes"),
    ],
)
def test_names_what_is_wrong_in_a_configuration(config: dict, message: str) -> None:
    with pytest.raises(ArtefactError, match=message):
        build("cnn-lstm", config)

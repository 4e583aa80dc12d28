import torch

from wearcast.training.forecast.lstm import Lstm, LstmConfig


def count(model: Lstm) -> int:
    return sum(weights.numel() for weights in model.parameters())


def test_each_channel_has_the_layers_of_part_b() -> None:
    """LSTM 50, LSTM 50, dense 7; Keras counts one bias vector a gate."""
    model = Lstm(LstmConfig(channels=3, targets=(0, 2), sequence=60, horizons=tuple(range(1, 8))))
    assert len(model.channels) == 2
    keras = 4 * 50 * (1 + 50 + 1) + 4 * 50 * (50 + 50 + 1) + (50 + 1) * 7
    assert keras == 30_957
    # PyTorch's second bias vector: 4 gates of 50, in two layers.
    assert count(model) == 2 * (keras + 2 * 4 * 50)


def test_a_network_sees_its_own_channel_alone() -> None:
    config = LstmConfig(channels=2, targets=(0, 1), sequence=5, horizons=(1, 2), hidden=4)
    model = Lstm(config).eval()
    window = torch.randn(1, 5, 2, generator=torch.Generator().manual_seed(0))
    other = window.clone()
    other[..., 1] += 1
    before, after = model.network(window, None), model.network(other, None)
    assert torch.equal(before[:, 0], after[:, 0])
    assert not torch.equal(before[:, 1], after[:, 1])

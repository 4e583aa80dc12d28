from dataclasses import replace

import numpy as np
import torch

from wearcast.signals.rows import Rows
from wearcast.training.forecast.config import Fitting
from wearcast.training.forecast.hybrid import Hybrid, HybridConfig
from wearcast.training.forecast.windows import Lessons, list_windows, make_record
from wearcast.training.loss import MemberEpoch

CONFIG = HybridConfig(channels=1, targets=(0,), sequence=8, horizons=(1,), dropout=0.0, hidden=16)


def make_lessons(values: np.ndarray) -> Lessons:
    rows = Rows(("a",), 0, 60_000_000, values)
    record = make_record(rows, values, mean=1, time_zone="UTC", every_s=None)
    fit = list_windows(record, CONFIG, range(3000), due=False)
    return Lessons(fit, list_windows(record, CONFIG, range(3000, 4000), due=False), fit)


def test_a_fresh_correction_adds_nothing() -> None:
    model = Hybrid(CONFIG).eval()
    model.ridge.weight.fill_(0.25)
    deviations = torch.randn(5, 8, 1, generator=torch.Generator().manual_seed(0))
    said = model.network(deviations, None)
    assert torch.allclose(said, model.ridge(deviations)[..., None].expand(said.shape))


def test_quantiles_hang_on_the_window() -> None:
    """Calm and stormy stretches take turns; the linear map cannot tell them apart."""
    torch.manual_seed(0)
    random = np.random.default_rng(0)
    sizes = np.repeat(np.tile([0.1, 1.0], 20), 100)
    lessons = make_lessons((sizes * random.standard_normal(4000))[:, None])
    model, history = Hybrid(CONFIG), list[MemberEpoch]()
    fitting = replace(Fitting(), epochs=8, patience=8, learning_rate=3e-3)
    assert not model.fit(lessons, fitting, seed=0, on_epoch=history.append)
    assert len(history) == 8
    calm, stormy = (
        model.network(size * torch.tensor([1.0, -1, 1, 1, -1, 1, -1, -1])[None, :, None], None)
        for size in (0.1, 1.0)
    )
    width = [float((said[0, 0, 0, 2] - said[0, 0, 0, 0]).detach()) for said in (calm, stormy)]
    assert width[1] > 3 * width[0]

from pathlib import Path

import numpy as np
import pytest

from wearcast.signals.errors import InputError
from wearcast.training.forecast import ett

DATA = Path(__file__).parents[3].parent / "shared" / "data" / "ett"


@pytest.mark.skipif(not (DATA / "ETTh1.csv").exists(), reason="../shared/data/ett is absent")
def test_the_linear_model_is_no_worse_than_the_ridge_of_others():
    result = ett.evaluate_ett(DATA, "ETTh1", 96)
    assert result.windows == 2785
    assert result.mse <= result.ridge + 0.003


def test_a_day_that_repeats_is_learned_to_near_the_noise(tmp_path, monkeypatch):
    monkeypatch.setattr(ett, "WINDOWS", (24, 48))
    random = np.random.default_rng(0)
    hours = np.arange(20 * 30 * 24)[:, None]
    values = np.sin(2 * np.pi * hours / 24) + random.normal(0, 0.3, (len(hours), 7)) + hours / 5000
    lines = ["date,a,b,c,d,e,f,g"]
    lines += [f"{row}," + ",".join(map(str, values[row])) for row in range(len(values))]
    (tmp_path / "ETTh1.csv").write_text("\n".join(lines) + "\n")
    result = ett.evaluate_ett(tmp_path, "ETTh1", 96)
    seen = values[: 12 * 720]
    scaled = (values - seen.mean(axis=0)) / seen.std(axis=0)
    # Nothing can be better than the noise, and the day before is worse than twice its variance.
    noise = float(np.mean((0.3 / seen.std(axis=0)) ** 2))
    before = scaled[16 * 720 - 24 : 20 * 720 - 24] - scaled[16 * 720 : 20 * 720]
    assert result.windows == 4 * 720 - 96 + 1
    assert noise < result.mse < float(np.mean(before**2))


def test_a_folder_without_the_files_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"expected ETTh1\.csv or ETTm1\.csv\.gz, got neither"):
        ett.evaluate_all(tmp_path)

"""SKAB and NAB, as far as their files are there, and files of the same form that always are."""

from pathlib import Path

import numpy as np
import pytest

from wearcast.signals.errors import InputError
from wearcast.training.outlier import nab, skab
from wearcast.training.outlier.evaluate import evaluate_benchmarks
from wearcast.training.outlier.ranking import auroc
from wearcast.training.outlier.report import report_benchmarks, summarize_benchmarks

DATA = Path(__file__).parents[3].parent / "shared" / "data"


@pytest.mark.skipif(not (DATA / "skab").is_dir(), reason="needs ../shared/data/skab")
def test_multivariate_tells_unusual_rows_of_skab() -> None:
    """A causal Mahalanobis distance reaches a mean AUROC of 0.866 by file."""
    results = [skab.judge_file(path) for path in skab.list_files(DATA / "skab")]
    assert len(results) == 23
    areas = [auroc(item.ways["multivariate"], item.unusual) for item in results]
    assert np.mean(areas) >= 0.866


def write_skab(path: Path, seed: int, *, labels: bool = True) -> None:
    """900 rows in which two channels come apart from row 600 to 799; every tenth second fails."""
    random = np.random.default_rng(seed)
    values = 10 + random.standard_normal((900, 8))
    values[:, 1] = values[:, 0] + 0.1 * values[:, 1]
    values[600:800, 1] += 1.0
    seconds = np.flatnonzero(np.arange(1000) % 10 != 0)
    times = np.datetime64("2020-03-01T12:00:00") + seconds.astype("timedelta64[s]")
    header = ["datetime", *skab.CHANNELS, *(["anomaly", "changepoint"] if labels else [])]
    lines = [";".join(header)]
    for row, (time, cells) in enumerate(zip(times, values, strict=True)):
        unusual = ["1.0" if 600 <= row < 800 else "0.0", "0.0"] if labels else []
        stamp = str(time).replace("T", " ")
        lines.append(";".join([stamp, *(f"{cell:.6f}" for cell in cells), *unusual]))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


def write_nab(folder: Path) -> None:
    folder.mkdir(parents=True)
    for machine in nab.MACHINES:
        start = np.datetime64(machine.windows[0][0]) - np.timedelta64(20, "D")
        days = 25 if machine.step_s < 3600 else 80
        times = start + (np.arange(int(days * 86_400 / machine.step_s)) * machine.step_s).astype(
            "timedelta64[s]"
        )
        values = 70 + np.random.default_rng(0).standard_normal(len(times))
        first, last = map(np.datetime64, machine.windows[0])
        values[(times >= first) & (times <= last)] -= 6
        rows = [
            f"{str(time).replace('T', ' ')},{value:.4f}"
            for time, value in zip(times, values, strict=True)
        ]
        (folder / f"{machine.file}.csv").write_text("\n".join(["timestamp,value", *rows]) + "\n")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_skab(folder / "skab" / "valve1" / "0.csv", 0)
    write_skab(folder / "skab" / "other" / "1.csv", 1)
    write_skab(folder / "skab" / "anomaly-free" / "anomaly-free.csv", 2, labels=False)
    write_nab(folder / "nab")
    return folder


def test_a_file_is_read_with_its_gaps_and_labels(data: Path) -> None:
    rows, unusual = skab.read_file(data / "skab" / "valve1" / "0.csv")
    assert rows.values.shape == (999, 8)
    assert rows.step_us == 1_000_000
    assert np.isnan(rows.values).all(axis=1).sum() == 99
    assert unusual.sum() == 200


def test_400_rows_teach_and_the_others_are_scored(data: Path) -> None:
    result = skab.judge_file(data / "skab" / "valve1" / "0.csv")
    assert result.name == "valve1/0"
    assert np.flatnonzero(result.unusual).tolist() == list(range(200, 400))
    assert auroc(result.ways["multivariate"], result.unusual) > 0.95
    assert auroc(result.ways["largest z"], result.unusual) < 0.9
    assert result.ways["row number"].alarm.sum() == 500 - 175
    assert result.ways["constant"].alarm.all()


def test_no_score_hangs_on_the_place_in_the_file(data: Path, tmp_path: Path) -> None:
    """Rows put in between move everything, and change nothing in what is said later."""
    text = (data / "skab" / "valve1" / "0.csv").read_text().splitlines()
    again = tmp_path / "skab" / "valve1" / "0.csv"
    again.parent.mkdir(parents=True)
    moved = [line.replace("2020-03-01 12:", "2020-03-01 15:") for line in text[402:]]
    again.write_text("\n".join([*text[:402], *moved]) + "\n")
    one, other = (skab.judge_file(path) for path in (data / "skab" / "valve1" / "0.csv", again))
    for way in ("multivariate", "actual"):
        # A window reaches back over 120 seconds.
        assert (one.ways[way].score[120:] == other.ways[way].score[120:]).all()


def test_tables_and_figures_agree(data: Path) -> None:
    files: list[int] = []
    results = evaluate_benchmarks(data, lambda: files.append(1))
    assert len(files) == 2 * len(skab.SMOOTHINGS) + 2
    facts = summarize_benchmarks(results)
    text = "\n".join(report_benchmarks(results))
    ways = facts["skab"]["ways"]
    assert list(ways) == [
        "multivariate", "actual", "predicted", "largest z", "row number", "constant",
        "place in other files",
    ]  # fmt: skip
    # Both files go wrong at the same rows, so the one tells the other.
    assert ways["place in other files"]["auroc"]["all"] == 1.0
    assert ways["place in other files"]["f1"] == 1.0
    way = ways["multivariate"]
    assert f"| mean of all | 0.40 | {way['auroc']['all']:.3f} " in text
    assert f"| 10, as above | {way['auroc']['valve1']:.3f} |" in text
    assert f"| multivariate | {way['f1']:.3f} | {way['false_share']:.3f} |" in text
    for count, hourly in facts["skab"]["false_alarms_per_hour"].items():
        assert f"| {count} | " in text
        assert f"| multivariate | {hourly['multivariate']:.1f} |" in text
    for machine in facts["nab"].values():
        assert machine["actual"]["found"] == 1
        assert machine["actual"]["auroc"] > 0.95
        assert machine["constant"]["auroc"] == 0.5
        assert f"| actual | {machine['actual']['auroc']:.3f} |" in text


def test_a_folder_without_files_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected SKAB files in valve1 and other, got none"):
        skab.list_files(tmp_path)

"""`wearcast train rul` and `wearcast evaluate rul` as a user runs them, and what comes of it."""

import csv
import json
import os
import pty
import re
import signal
import subprocess
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result
from lives import make_life
from program import call as run_here
from program import run, start
from waiting import LONG_S

from wearcast.clients.cli.main import program
from wearcast.signals.errors import InputError
from wearcast.signals.femto import write_snapshot
from wearcast.training.checkpoint import load_checkpoint

NAMES = ["Bearing1_1", "Bearing1_2", "Bearing2_1", "Bearing3_2"]
EPOCHS = 4


def call(*arguments: object) -> Result:
    """The verb in this process: for mistakes that are found before any training."""
    return CliRunner().invoke(program, [*map(str, arguments)])


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four bearings of 20 to 32 snapshots, and one in a Test_set that nobody may learn from."""
    folder = tmp_path_factory.mktemp("data")
    for seed, name in enumerate([*NAMES, "Bearing1_4"]):
        group = "Test_set" if name == "Bearing1_4" else "Learning_set"
        bearing = folder / group / name
        bearing.mkdir(parents=True)
        for block in make_life(name, 20 + 4 * seed, seed=seed).blocks():
            path = bearing / f"acc_{block.sequence + 1:05d}.csv"
            write_snapshot(path, block.start_us, block.values)
    return folder


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def trained(
    data: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, object]]:
    """The checkpoint of a training, and the JSON that it printed."""
    out = tmp_path_factory.mktemp("trained") / "bearing.pth"
    done = run(
        "train", "rul", "--data", data, "--out", out, "--epochs", EPOCHS, "--cache", cache, "--json"
    )
    assert (done.returncode, done.stderr) == (0, "")
    return out, json.loads(done.stdout)


def test_training_writes_the_checkpoint_and_says_so(trained: tuple[Path, dict]) -> None:
    out, summary = trained
    assert sorted(path.name for path in out.parent.iterdir()) == [
        "bearing.loss.csv",
        "bearing.loss.png",
        "bearing.pth",
    ]
    checkpoint = load_checkpoint(out)
    assert summary["checkpoint"] == str(out)
    assert summary["training"]["bearings"] == checkpoint.training["bearings"] == NAMES
    assert summary["training"]["settings"]["epochs"] == EPOCHS
    assert summary["rul"]["prior_log_mean"] == checkpoint.rul.prior_log_mean
    assert [cost["step"] for cost in summary["costs"]] == ["read", "train", "write"]
    for cost in summary["costs"]:
        assert cost["wall_s"] > 0
        assert cost["peak_mb"] > 50


def test_the_loss_is_a_table_and_a_picture(trained: tuple[Path, dict]) -> None:
    out, summary = trained
    with out.with_suffix(".loss.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(int(row["member"]), int(row["epoch"])) for row in rows] == [
        (member, epoch) for member in range(len(NAMES)) for epoch in range(1, EPOCHS + 1)
    ]
    best = [
        min(float(row["validation_loss"]) for row in rows if row["member"] == str(member))
        for member in range(len(NAMES))
    ]
    rmse = sum(loss**0.5 for loss in best) / len(best)
    assert summary["training"]["validation_rmse"] == pytest.approx(rmse)
    assert out.with_suffix(".loss.png").read_bytes().startswith(b"\x89PNG")


def test_what_was_trained_is_exported_and_scores(
    trained: tuple[Path, dict], data: Path, tmp_path: Path
) -> None:
    out, _ = trained
    done = run_here("export", out, "--name", "own", "--out", tmp_path / "models", "--batch", 8)
    assert done.returncode == 0, done.stderr
    bearing = data / "Learning_set" / NAMES[1]
    done = run_here(
        "predict", bearing, "--local", tmp_path / "models", "--model", "own",
        "--out", tmp_path / "out",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "out" / f"{NAMES[1]}.json").read_text())["estimates"]
    assert [row["sequence"] for row in rows] == list(range(9, 24))
    assert rows[-1]["life_fraction"] > rows[0]["life_fraction"]


def test_people_are_told_what_was_trained(data: Path, cache: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "folder" / "bearing.pth"
    config = tmp_path / "settings.toml"
    config.write_text("[training]\nsteps = 2\n[model]\nhidden = 3\nsequence = 5\n")
    done = run_here(
        "train", "rul", "--data", data, "--out", out, "--epochs", 2, "--seed", 7, "--cache", cache,
        "--hold-out", NAMES[0], "--config", config,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    parameters = 3 * (10 * 3 + 3 + 3 * 3 + 3 + 3 + 1)
    assert f"{out}: compact, {parameters} parameters, 3 member(s), RMSE on" in done.stdout
    checkpoint = load_checkpoint(out)
    assert checkpoint.training["bearings"] == NAMES[1:]
    assert checkpoint.training["settings"]["steps"] == 2
    assert checkpoint.training["seed"] == 7
    assert checkpoint.sequence == 5


def test_a_wrong_setting_is_one_line_and_an_exit_code(
    data: Path, cache: Path, tmp_path: Path
) -> None:
    config = tmp_path / "settings.toml"
    config.write_text("[training]\nepoch = 3\n")
    out = tmp_path / "bearing.pth"
    done = run("train", "rul", "--data", data, "--out", out, "--cache", cache, "--config", config)
    assert (done.returncode, done.stdout) == (5, "")
    assert re.fullmatch(r"wearcast: training: expected one of epochs, .*, got epoch\n", done.stderr)
    assert not out.exists()


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("[training]\nepochs = 'many'", 5, r"Expected `int`, got `str` - at `\$.epochs`"),
        ("[model]\nlayers = 3", 5, "config: expected keys of CompactConfig, got layers"),
        ("[trainig]\nepochs = 3", 3, r"tables \[training\] and \[model\], got \[trainig\]"),
        ("epochs", 3, "expected TOML"),
    ],
)
def test_a_bad_setting_is_named(
    data: Path, cache: Path, tmp_path: Path, text: str, code: int, message: str
) -> None:
    config = tmp_path / "settings.toml"
    config.write_text(text)
    out = tmp_path / "bearing.pth"
    result = call(
        "train", "rul", "--data", data, "--out", out, "--cache", cache, "--config", config
    )
    assert result.exception.exit_code == code
    assert re.search(message, str(result.exception))


@pytest.mark.parametrize("verb", ["train", "evaluate"])
def test_data_that_is_not_there_is_a_usage_error(verb: str, tmp_path: Path) -> None:
    done = run_here(verb, "rul", "--data", tmp_path / "none", "--out", tmp_path / "out")
    assert done.returncode == 2
    assert "does not exist" in done.stderr


def test_an_unknown_bearing_is_bad_input(data: Path, tmp_path: Path) -> None:
    done = run_here(
        "train", "rul", "--data", data, "--out", tmp_path / "out", "--hold-out", "Bearing9_9"
    )
    assert (done.returncode, done.stdout) == (3, "")
    expected = f"wearcast: bearings: expected some of {', '.join(NAMES)}, got Bearing9_9\n"
    assert done.stderr == expected


@pytest.mark.parametrize("verb", ["train", "evaluate"])
@pytest.mark.parametrize("option", ["--hold-out", "--bearings"])
def test_an_unknown_bearing_is_named(verb: str, option: str, data: Path, tmp_path: Path) -> None:
    result = call(verb, "rul", "--data", data, "--out", tmp_path / "out", option, "Bearing9_9")
    assert isinstance(result.exception, InputError)
    assert f"expected some of {', '.join(NAMES)}, got Bearing9_9" in str(result.exception)


def test_a_bearing_held_out_must_be_among_those_used(data: Path) -> None:
    used = ",".join(NAMES[:3])
    result = call("evaluate", "rul", "--data", data, "--bearings", used, "--hold-out", NAMES[3])
    assert isinstance(result.exception, InputError)
    assert f"hold-out: expected some of {', '.join(NAMES[:3])}, got {NAMES[3]}" in str(
        result.exception
    )


def test_too_few_bearings_are_refused(data: Path, cache: Path, tmp_path: Path) -> None:
    result = call(
        "train", "rul", "--data", data, "--out", tmp_path / "bearing.pth", "--cache", cache,
        "--bearings", ",".join(NAMES[:2]),
    )  # fmt: skip
    assert isinstance(result.exception, InputError)
    assert "bearings: expected 3 or more, got 2" in str(result.exception)


def start_on_terminal(*arguments: object) -> tuple[subprocess.Popen[str], int]:
    """The program with stderr on a terminal, where it shows progress; gives our end of it."""
    ours, theirs = pty.openpty()
    process = start(
        *arguments, stdout=subprocess.PIPE, stderr=theirs, env=os.environ | {"COLUMNS": "200"}
    )
    os.close(theirs)
    return process, ours


def wait_for(terminal: int, pattern: bytes) -> None:
    shown = b""
    while not re.search(pattern, shown):
        shown += os.read(terminal, 4096)


def test_ctrl_c_keeps_a_checkpoint_that_can_be_used(
    data: Path, cache: Path, tmp_path: Path
) -> None:
    out = tmp_path / "bearing.pth"
    process, terminal = start_on_terminal(
        "train", "rul", "--data", data, "--out", out, "--cache", cache, "--epochs", 2000, "--json"
    )
    try:
        # With four members to train, a first percent is the first member's.
        wait_for(terminal, rb"train[^\r\n]* [1-9]\d*%")
        process.send_signal(signal.SIGINT)
        stdout, _ = process.communicate(timeout=LONG_S)
    finally:
        process.kill()
        os.close(terminal)
    assert process.returncode == 0
    summary = json.loads(stdout)
    assert summary["training"]["interrupted"]
    with out.with_suffix(".loss.csv").open() as file:
        assert 1 < len(file.readlines()) - 1 < 4 * 2000
    checkpoint = load_checkpoint(out)
    assert len(checkpoint.training["splits"]) == checkpoint.config["members"] < 4
    recording = torch.from_numpy(make_life("new", 10, seed=9).values)
    (fraction,) = checkpoint.build_model()(recording[None]).tolist()
    assert 0 < fraction < 1


def test_ctrl_c_ends_an_evaluation(data: Path, cache: Path, tmp_path: Path) -> None:
    """What half a training says is no result."""
    out = tmp_path / "table.md"
    process, terminal = start_on_terminal(
        "evaluate", "rul", "--data", data, "--cache", cache, "--epochs", 100_000, "--out", out
    )
    try:
        wait_for(terminal, rb"trainings")
        process.send_signal(signal.SIGINT)
        stdout, _ = process.communicate(timeout=LONG_S)
    finally:
        process.kill()
        os.close(terminal)
    assert (process.returncode, stdout) == (1, "")
    assert not out.exists()


def test_evaluation_prints_the_means_and_writes_its_tables(
    data: Path, cache: Path, tmp_path: Path
) -> None:
    out = tmp_path / "new" / "table.md"
    done = run(
        "evaluate", "rul", "--data", data, "--cache", cache, "--out", out, "--json",
        "--hold-out", NAMES[2], "--seeds", 1, "--epochs", 2,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    summary = json.loads(done.stdout)
    names = ["compact", "constant", "elapsed / mean life", "elapsed / median life"]
    assert list(summary["life_fraction_rmse"]) == names
    assert {"compact", "prior", "constant", "k x elapsed"} <= set(summary["ways"])
    for way in summary["ways"].values():
        assert 0 <= way["score"] <= 1
    text = out.read_text()
    assert text.startswith(f"# compact, 1 seed(s), left out: {NAMES[2]}, 2 epochs\n")
    assert f"\n| way | {NAMES[2]} |\n" in text
    assert f"\n| compact | {summary['ways']['compact']['score']:.3f} |" in text
    assert "Official cuts" not in text

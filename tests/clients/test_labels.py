"""Labels in the client and in the verbs: version 1 is stable, version 2 a canary."""

import json
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from program import bearing_contract, call, run, write_snapshot
from running import RunningServer, running_server
from tiny import tiny_contract, wearing_block, write_tiny_model

from wearcast.clients import Client
from wearcast.clients.cli.main import program
from wearcast.signals.contract import Contract
from wearcast.signals.errors import InputError, NotFoundError
from wearcast.signals.estimate import Estimate
from wearcast.signals.series import Block

RECORD = [wearing_block(number, 9) for number in range(5)]
# Version 2 looks at two blocks instead of three, so that each version gives its own number of
# answers.
ANSWERS = {"": 3, "stable": 3, "canary": 4}


class Record:
    """The record as a live source."""

    def blocks(self, from_sequence: int) -> "list[Block]":
        return RECORD[from_sequence:]

    def release(self, before: int) -> None:
        """All of it stays."""


def write_versions(models_dir: Path, contract: Contract) -> None:
    write_tiny_model(models_dir, contract)
    write_tiny_model(models_dir, msgspec.structs.replace(contract, version=2, sequence=2))
    (models_dir / contract.name / "labels.toml").write_text("stable = 1\ncanary = 2\n")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    models_dir = tmp_path_factory.mktemp("labelled-models")
    write_versions(models_dir, tiny_contract())
    write_versions(models_dir, bearing_contract())
    return models_dir


@pytest.fixture(scope="module")
def server(models: Path):
    with running_server(models) as running:
        yield running


@pytest.fixture(scope="module")
def snapshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recordings") / "Bearing9_2"
    for number in range(1, 6):
        write_snapshot(folder, number)
    return folder


def test_the_client_asks_for_a_label(server: RunningServer) -> None:
    with Client(server.address) as client:
        assert client.labels() == {
            (name, version): [label]
            for name in ("bearing-rul", "tiny")
            for version, label in ((1, "stable"), (2, "canary"))
        }
        for label, count in ANSWERS.items():
            assert client.model("tiny", label=label).version == (2 if label == "canary" else 1)
            predicted = list(client.predict(RECORD, model="tiny", label=label))
            assert len(predicted) == count
            events = client.monitor(Record(), asset=f"of {label}", model="tiny", label=label)
            assert [event for event in events if isinstance(event, Estimate)] == predicted


def test_the_server_says_what_is_wrong_with_a_label(server: RunningServer) -> None:
    with Client(server.address) as client:
        for ask in (
            lambda **which: client.model("tiny", **which),
            lambda **which: list(client.predict(RECORD, model="tiny", **which)),
            lambda **which: list(client.monitor(Record(), asset="a", model="tiny", **which)),
        ):
            with pytest.raises(NotFoundError, match=r"a label of tiny \(canary, stable\)"):
                ask(label="beta")
            with pytest.raises(InputError, match="label: expected none beside a version"):
                ask(label="canary", version=2)


def test_predict_scores_with_a_label_and_locally_with_the_same(
    server: RunningServer, models: Path, snapshots: Path
) -> None:
    for label, count in ANSWERS.items():
        named = ("--label", label) if label else ()
        for where in (("--server", server.address), ("--local", models)):
            done = call("predict", snapshots, "--json", *where, *named)
            assert (done.returncode, done.stderr) == (0, "")
            (result,) = json.loads(done.stdout)
            assert result["version"] == (2 if label == "canary" else 1)
            assert len(result["estimates"]) == count
    done = call("predict", snapshots, "--local", models, "--label", "beta")
    assert done.returncode == 5
    assert "label: expected a label of bearing-rul (canary, stable), got 'beta'" in done.stderr


def test_stream_and_bench_ask_for_a_label(server: RunningServer, snapshots: Path) -> None:
    to = ("--server", server.address, "--label", "canary")
    done = run("stream", "--replay", snapshots, "--speed", "max", "--json", *to)
    assert (done.returncode, done.stderr) == (0, "")
    assert [json.loads(line)["sequence"] for line in done.stdout.splitlines()] == [1, 2, 3, 4]
    done = run("bench", "serve", "--seconds", "0.1", *to)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("bearing-rul/2: ")


def test_models_shows_labels(server: RunningServer) -> None:
    done = call("models", "--json", "--server", server.address)
    labels = {(it["name"], it["version"]): it["labels"] for it in json.loads(done.stdout)}
    assert labels["tiny", 2] == ["canary"]
    assert "\n  labels: stable\n" in call("models", "--server", server.address).stdout


@pytest.mark.parametrize("verb", [("predict", "."), ("stream", "-"), ("bench", "serve")])
def test_a_label_beside_a_version_is_refused(verb: tuple[str, ...]) -> None:
    done = CliRunner().invoke(program, [*verb, "--version", "2", "--label", "canary"])
    assert done.exit_code == 2
    assert "--label: expected none beside --version, got 'canary'" in done.output

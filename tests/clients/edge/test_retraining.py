"""Models trained anew while the service goes on: real training, real processes, real models."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from driven_edge import Edge, at
from program import run
from tiny_plant import MINUTE_US
from waiting import LONG_S

from wearcast.clients.edge.progress import Progress
from wearcast.clients.edge.readings import Reading
from wearcast.serving.models import BUNDLED
from wearcast.signals.simulation.plant_faults import NO_FAULTS
from wearcast.signals.simulation.plant_simulation import Plant, simulate_plant

CHANNELS = {"flow_rate": "m3/h", "pressure": "bar"}
DAYS = 3
DAY = 24 * 60
NAME = "flow-outlier"
# Three days are too few for an usual course by weekday.
WORDS = ("outlier", "--baseline", "hour", "--range", "pressure=0:10")


class TrainedEdge(Edge):
    """A driven service with the bundled outlier model, on the rows of a simulated plant."""

    def __init__(
        self,
        folder: Path,
        words: tuple[str, ...],
        *,
        retrain_days: float = DAYS,
        retrain: Sequence[str] = (),
    ) -> None:
        self.versions_dir = folder / "models" / NAME
        shutil.copytree(BUNDLED / NAME, self.versions_dir)
        config = folder / "edge.toml"
        listed = ", ".join(f'"{word}"' for word in words)
        config.write_text(
            'asset = "pump"\n[[sources]]\ntype = "stdin"\n'
            f'[store]\npath = "{folder / "edge.sqlite"}"\n'
            f'[models]\nnames = ["{NAME}"]\ndir = "{folder / "models"}"\n'
            f'[schedule]\nretrain = {{"{NAME}" = [{listed}]}}\n'
        )
        self.command = [sys.executable, "-m", "wearcast", "retrain", "--config", str(config)]
        super().__init__(
            folder,
            at("0:00"),
            models_dir=folder / "models",
            channels=CHANNELS,
            models={"names": [NAME], "dir": folder / "models"},
            schedule={"retrain_days": retrain_days, "retrain": {NAME: words}},
            retrain=retrain or self.command,
        )
        plant = Plant(start="2024-01-01", days=DAYS + 2, rates=NO_FAULTS)
        self._rows = simulate_plant(plant).measured.values.tolist()
        self._next = 0

    def feed(self, rows: int, at_once: int = DAY) -> None:
        """Hand in the next rows of the plant, and let the time come at which they are closed."""
        end = self._next + rows
        for first in range(self._next, end, at_once):
            self._next = min(first + at_once, end)
            self.hand.give(
                *(
                    Reading(at("0:00") + number * MINUTE_US, channel, value)
                    for number in range(first, self._next)
                    for channel, value in zip(CHANNELS, self._rows[number], strict=True)
                )
            )
            self.clock.drive(at("0:00") + self._next * MINUTE_US + 5_000_000)
            self.turn()

    @property
    def versions(self) -> tuple[list[int], list[str]]:
        """The one in use, and those in its folder."""
        there = sorted(path.name for path in self.versions_dir.iterdir())
        return [contract.version for contract in self.service.contracts], there


def test_service_goes_on_with_version_2_at_the_next_row(tmp_path: Path) -> None:
    with TrainedEdge(tmp_path, WORDS) as edge:
        edge.feed(DAYS * DAY - 1)
        assert edge.retrainer.process is None  # its time has not come
        edge.feed(1)
        edge.turn()
        process = edge.retrainer.process
        # It stands still, so that it is not done before the rows are.
        os.killpg(process.pid, signal.SIGSTOP)
        edge.feed(30, at_once=7)  # rows go on while it trains
        assert edge.versions == ([1], ["1"])
        os.killpg(process.pid, signal.SIGCONT)
        assert process.wait(LONG_S) == 0
        edge.feed(30, at_once=7)
        assert edge.versions == ([2], ["1", "2"])
        assert edge.service.problems == {}
        rows = edge.store.table.read(0, 2**61)
        count = DAYS * DAY + 60
        assert [row.time_us for row in rows] == [
            at("0:00") + number * MINUTE_US for number in range(count)
        ]
        assert all(None not in row.stages for row in rows)
        progress = edge.store.get("progress", Progress)
        assert progress.answered_us == rows[-1].time_us
        assert progress.retrained_us > 0
        (contract,) = edge.service.contracts
        assert {channel.name: channel.unit for channel in contract.channels} == CHANNELS
        assert not list(tmp_path.glob("*.retraining"))
        assert edge.retrainer.process is None  # the next time is days away


def test_training_that_fails_leaves_version_1_and_is_tried_again_after_a_day(
    tmp_path: Path,
) -> None:
    with TrainedEdge(tmp_path, ("outlier", "--baseline", "tides"), retrain_days=1) as edge:
        edge.feed(DAY)
        edge.turn()
        assert edge.retrainer.process.wait(LONG_S) == 1
        edge.feed(10)
        problem = edge.service.problems["retraining"]
        assert f"schedule.retrain.{NAME}: wearcast train: " in problem
        assert "'tides' is not one of" in problem
        assert edge.versions == ([1], ["1"])
        edge.feed(DAY - 20)
        assert edge.retrainer.process is None
        edge.feed(20)
        assert edge.retrainer.process is not None
        rows = edge.store.table.read(0, 2**61)
        assert len(rows) == 2 * DAY + 10
        assert all(None not in row.stages for row in rows)


def test_training_ends_with_the_service(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    command = ["sh", "-c", f"(echo begun; sleep 1000) > {pipe}; true"]
    with TrainedEdge(tmp_path, WORDS, retrain_days=1, retrain=command) as edge:
        edge.feed(DAY)
        edge.turn()
        process = edge.retrainer.process
        told = pipe.open()
        assert told.readline() == "begun\n"
    with told:
        assert told.read() == ""  # nobody is left who could write
    assert process.returncode == -signal.SIGTERM


def test_without_torch_the_error_says_what_to_install(tmp_path: Path) -> None:
    with TrainedEdge(tmp_path, WORDS) as edge:
        edge.feed(DAY)
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "torch.py").write_text("raise ModuleNotFoundError('none', name='torch')\n")
    done = subprocess.run(
        edge.command,
        env=os.environ | {"PYTHONPATH": str(hidden)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert f"schedule.retrain.{NAME}: wearcast train" in done.stderr
    assert "pip install 'wearcast[train]'" in done.stderr
    assert edge.versions == ([1], ["1"])


def test_nothing_to_train_is_bad_input(tmp_path: Path) -> None:
    config = tmp_path / "edge.toml"
    config.write_text('asset = "pump"\n[[sources]]\ntype = "stdin"\n')
    done = run("retrain", "--config", config)
    assert (done.returncode, done.stderr) == (
        3,
        "wearcast: schedule.retrain: expected models to train, got none\n",
    )

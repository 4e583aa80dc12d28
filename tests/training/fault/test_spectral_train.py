from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from machines import FAULTS, SETTINGS, make_machines

from wearcast.signals.errors import InputError
from wearcast.signals.vibration.vibration import Vibration
from wearcast.training.checkpoint import load_checkpoint, save_checkpoint
from wearcast.training.fault.spectral_train import (
    SpectralSettings,
    choose_window,
    train_spectral,
)


def test_the_checkpoint_says_all_that_export_needs(tmp_path: Path) -> None:
    trained = train_spectral(make_machines("ABC"), SETTINGS)
    save_checkpoint(tmp_path / "fault.pth", trained.checkpoint)
    checkpoint = load_checkpoint(tmp_path / "fault.pth")
    assert checkpoint.fault is not None
    assert checkpoint.fault.faults == FAULTS
    assert checkpoint.fault.orders == {"0.5x": 0.5, "1x": 1.0, "2x": 2.0}
    assert checkpoint.fault.shaft_hz == 25.0
    assert [output.name for output in checkpoint.outputs] == ["probability", "novelty"]
    assert (checkpoint.window, checkpoint.sequence, checkpoint.hop_s) == (256, 4, 0.256)
    assert checkpoint.training["folds_by"] == "unit"
    blocks = torch.randn(2, 4, 2, 256)
    with torch.no_grad():
        torch.testing.assert_close(checkpoint.build_model()(blocks), trained.model(blocks))


def test_the_same_recordings_give_the_same_weights() -> None:
    one, other = (train_spectral(make_machines(), SETTINGS).checkpoint for _ in range(2))
    for name, values in one.state_dict.items():
        assert torch.equal(values, other.state_dict[name])


def make_dead() -> list[Vibration]:
    """The second sensor of one recording gives nothing."""
    recordings = make_machines()
    recordings[2].values[1] = 0.25
    return recordings


def make_conditions(**values: list[str]) -> list[Vibration]:
    """Machines A to D; each with the given conditions, one value a unit."""
    recordings = []
    for vibration in make_machines("ABCD"):
        unit = "ABCD".index(vibration.name[0])
        conditions = {name: every[unit] for name, every in values.items()}
        recordings.append(replace(vibration, conditions=conditions))
    return recordings


@pytest.mark.parametrize(
    ("conditions", "by", "expected"),
    [
        ({"unit": list("ABCD")}, None, "unit"),
        ({"load": list("0011"), "speed": list("0123")}, None, "load"),
        ({"load": list("0011"), "speed": list("0123")}, "speed", "speed"),
        ({"load": list("0000"), "size": list("1122")}, "load", "size"),
        ({}, None, "recording"),
        ({}, "recording", "recording"),
    ],
)
def test_folds_leave_out_what_can_be_left_out(
    conditions: dict[str, list[str]], by: str | None, expected: str
) -> None:
    trained = train_spectral(make_conditions(**conditions), replace(SETTINGS, by=by))
    assert trained.checkpoint.training["folds_by"] == expected


def test_parts_of_one_recording_are_left_out_together() -> None:
    """Two files of each recording: folds by the files would have a part of it on both sides."""
    pieces = [
        replace(it, name=f"{it.name}{end}", conditions={"recording": it.name})
        for it in make_machines("A")
        for end in "12"
    ]
    # Each fault has one recording, which no fold by recordings can leave out.
    assert train_spectral(pieces, SETTINGS).checkpoint.training["folds_by"] == "time"


def test_one_recording_a_fault_is_cut_in_time() -> None:
    trained = train_spectral(make_machines("A"), SETTINGS)
    assert trained.checkpoint.training["folds_by"] == "time"


def test_the_shortest_recording_that_can_be_cut_in_time() -> None:
    trained = train_spectral(make_machines("A", samples=23 * 256), SETTINGS)
    assert trained.checkpoint.training["choice"]["loss"] > 0


def test_a_group_that_is_named_twice_is_looked_at_once() -> None:
    trained = train_spectral(make_machines(), replace(SETTINGS, look=("orders", "orders")))
    assert trained.checkpoint.training["choice"]["look"] == ("orders",)


def test_two_folds_choose_no_groups() -> None:
    settings = replace(SETTINGS, look=None)
    assert len(train_spectral(make_machines("AB"), settings).history) == 1
    assert len(train_spectral(make_machines("ABC"), settings).history) == 15


def test_a_window_holds_forty_turns_or_what_there_is_room_for() -> None:
    long = make_machines("A", samples=40_000)
    assert choose_window(long, SpectralSettings(shaft_hz=25.0)) == 2048
    assert choose_window(long, SpectralSettings(shaft_hz=100.0)) == 512
    assert choose_window(make_machines("A", samples=8192), SpectralSettings(shaft_hz=25.0)) == 1024
    assert choose_window(long, SpectralSettings(window=300)) == 300


def test_the_speed_is_the_mean_of_the_recordings() -> None:
    recordings = [
        replace(it, conditions={"speed": "1400" if it.name[0] == "A" else "1600"})
        for it in make_machines()
    ]
    trained = train_spectral(recordings, replace(SETTINGS, shaft_hz=None))
    assert trained.checkpoint.fault is not None
    assert trained.checkpoint.fault.shaft_hz == 25.0


@pytest.mark.parametrize(
    ("recordings", "settings", "message"),
    [
        (make_machines("A")[:1], SETTINGS, "two faults or more, got normal"),
        (make_machines("A", samples=1500), SETTINGS, "2048 or more, two windows, got 1500"),
        (make_machines(), replace(SETTINGS, shaft_hz=None), "shaft_hz: expected a speed"),
        (make_machines(), replace(SETTINGS, window=300), "settings: expected sizes that fit"),
        (make_machines(), SpectralSettings(shaft_hz=25.0, orders={"x": 30.0}), "half the sample"),
        (make_machines(), SpectralSettings(look=("bands", "orders")), "look: .* got orders"),
        (
            make_machines(),
            replace(SETTINGS, look=("envelope",), orders={"x": 18.0}),
            "look: .* got envelope",
        ),
        (
            make_machines(),
            replace(SETTINGS, by="siez"),
            "A-normal: condition: expected one of recording, unit, got siez",
        ),
        (make_dead(), SETTINGS, "A-looseness: s2: expected readings that change, got 0.25"),
        (
            make_machines("A", samples=23 * 256 - 1),
            SETTINGS,
            "samples: expected 5888 or more, as there are no other recordings .* got 5887",
        ),
    ],
)
def test_what_does_not_fit_is_refused(
    recordings: list[Vibration], settings: SpectralSettings, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        train_spectral(recordings, settings)


def test_recordings_of_other_channels_are_refused() -> None:
    one, *others = make_machines()
    odd = replace(one, channels=("s1",), units=("g",), values=np.ones((1, 8192), np.float32))
    with pytest.raises(InputError, match="channels: expected"):
        train_spectral([*others, odd], SETTINGS)

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from gear_files import (
    FIRST,
    FIRST_SCALED,
    as_vibration,
    make_first_block,
    make_sensors,
    small_block,
    write_gear,
)
from hypothesis import given
from hypothesis import strategies as st

from wearcast.clients.cli.evaluate_forecast import forecast as evaluate_verb
from wearcast.clients.cli.train_forecast import forecast as train_verb
from wearcast.export.model_folder import export_checkpoint
from wearcast.export.parity import run_frozen, run_onnx, run_torch, run_torchscript
from wearcast.serving.session import open_session
from wearcast.signals.errors import InputError
from wearcast.signals.rows import Rows
from wearcast.signals.vibration.gear_csv import read_gear
from wearcast.training.architectures import build
from wearcast.training.checkpoint import load_checkpoint, save_checkpoint
from wearcast.training.forecast.conformal import measure_coverage
from wearcast.training.forecast.fit import network_targets, squared_error
from wearcast.training.forecast.gear import FITTING, GearLstm
from wearcast.training.forecast.gear_block import (
    CHANNELS,
    SEQUENCE,
    GearRows,
    make_block,
    make_config,
    make_windows,
    split_block,
)
from wearcast.training.forecast.gear_evaluate import (
    AUTOREGRESSION,
    autoregress,
    evaluate_gear,
    score_gear,
)
from wearcast.training.forecast.gear_train import (
    HIDDEN,
    TrainedGear,
    count_parameters,
    scale_row,
    train_gear,
)
from wearcast.training.forecast.model import predict_windows


def train_small(block: GearRows | None = None, *, epochs: int = 3, seed: int = 0) -> TrainedGear:
    return train_gear(block or small_block(), hidden=8, epochs=epochs, seed=seed)


@pytest.fixture(scope="module")
def trained() -> TrainedGear:
    return train_small()


def test_a_block_of_25_000_rows_has_the_windows_of_part_c() -> None:
    block = make_block(as_vibration(make_first_block()))
    windows = make_windows(block, make_config(block, 4))
    assert windows.training == 13_993
    assert len(windows.test) == 6_000
    assert block.parts.test == range(14_000, 20_000)
    # The first window to test is the last seven rows of the training part.
    assert windows.test.ends[0] == 13_999
    followed = windows.test.targets(windows.test.ends)[:, 0, 0].numpy()
    np.testing.assert_array_equal(followed, block.rows.values[14_000:20_000, 3].astype(np.float32))


@given(st.integers(320, 40_000))
def test_each_row_of_a_part_is_forecast_once_by_a_window_of_rows_before_it(count: int) -> None:
    parts = split_block(count)
    assert parts.training.stop == parts.calibrate.stop == parts.test.start
    ordered = [*parts.fit, *parts.choose, *parts.calibrate, *parts.test]
    assert ordered == list(range(parts.test.stop))
    assert parts.test.stop <= count
    values = np.zeros((count, len(CHANNELS)))
    block = GearRows("block", 25.0, 0.0, Rows(CHANNELS, 0, 200, values), {})
    windows = make_windows(block, make_config(block, 4))
    forecast = np.concatenate(
        [part.ends + 1 for part in (windows.fit, windows.choose, windows.calibrate, windows.test)]
    )
    assert forecast.tolist() == list(range(SEQUENCE, parts.test.stop))


def test_the_network_of_part_c_has_794_881_parameters() -> None:
    model = GearLstm(make_config(small_block(), HIDDEN))
    assert count_parameters(model) == 794_881
    assert (FITTING.batch, FITTING.learning_rate, FITTING.epochs) == (100, 1e-3, 200)


def test_the_first_row_is_scaled_as_in_part_c_by_the_training_part_alone() -> None:
    block = make_block(as_vibration(make_first_block()))
    model = GearLstm(make_config(block, 4))
    seen = block.rows.values[: block.parts.training.stop]
    model.fit_scaling(seen, seen, np.zeros(len(seen)))
    scaled = scale_row(model, block, 0)
    assert block.rows.values[0, 2:] == pytest.approx(FIRST, abs=1e-6)
    assert (scaled["sensor1"], scaled["sensor2"]) == pytest.approx(FIRST_SCALED, abs=2e-6)
    assert pytest.approx((16 / 23, 25 / 54), abs=1e-6) == FIRST_SCALED
    # Constant in a block: 0, and no division by it.
    assert (scaled["speedSet"], scaled["load_value"]) == (0, 0)


def test_what_comes_after_the_training_part_changes_no_weight() -> None:
    block = small_block()
    values = block.rows.values.copy()
    values[block.parts.test.start :] *= 3
    changed = replace(block, rows=replace(block.rows, values=values))
    one, other = train_small(block, epochs=1), train_small(changed, epochs=1)
    for weights, others in zip(
        one.model.state_dict().values(), other.model.state_dict().values(), strict=True
    ):
        assert torch.equal(weights, others)


def test_another_seed_gives_other_weights() -> None:
    one, other = train_small(epochs=1), train_small(epochs=1, seed=1)
    assert not torch.equal(one.model.output.weight, other.model.output.weight)


def validation_loss(trained: TrainedGear) -> float:
    windows = trained.windows.choose
    with torch.no_grad():
        blocks = windows.blocks(windows.ends)
        said = trained.model.network(trained.model.prepare(blocks, None), None)
        return float(squared_error(said, network_targets(trained.model, windows, windows.ends)))


def test_training_stops_early_with_the_best_weights() -> None:
    """What is to be chosen by moves the other way than what is fitted: it soon gets worse."""
    block = small_block()
    values = block.rows.values.copy()
    fitted, chosen = block.parts.fit.stop, block.parts.choose.stop
    values[:fitted, 3] = np.cumsum(np.sign(np.sin(np.arange(fitted))))
    values[fitted:chosen, 3] = -10 * values[: chosen - fitted, 3]
    trained = train_small(replace(block, rows=replace(block.rows, values=values)), epochs=200)
    best = min(range(len(trained.history)), key=lambda at: trained.history[at].validation_loss)
    assert len(trained.history) == best + 1 + FITTING.patience
    assert validation_loss(trained) == pytest.approx(trained.best.validation_loss, rel=1e-4)
    assert trained.history[-1].validation_loss > trained.best.validation_loss


def test_quantiles_are_calibrated_on_rows_that_chose_nothing(trained: TrainedGear) -> None:
    coverage = measure_coverage(trained.model, trained.windows.calibrate)
    count = len(trained.windows.calibrate)
    assert coverage.ravel() == pytest.approx([0.1, 0.5, 0.9], abs=2 / count)


def test_torch_torchscript_onnx_and_the_session_agree(trained: TrainedGear, tmp_path: Path) -> None:
    path = tmp_path / "gear.pth"
    save_checkpoint(path, trained.checkpoint)
    folder = export_checkpoint(path, "gear", tmp_path / "models", [4]).folder
    windows = trained.windows.test
    cases = (windows.blocks(windows.ends).numpy(),)
    model = load_checkpoint(path).build_model()
    (expected,) = run_frozen(run_torch(model), 4, cases)
    session = open_session(folder)
    contract = session.contract
    assert contract.forecast.horizons_s == (0.0002,)
    assert (contract.sample_rate_hz, contract.hop_s, contract.sequence) == (5_000.0, 0.0002, 7)
    for runtime in (
        run_torchscript(folder / "batch-4.torchscript"),
        run_onnx(folder / "batch-4.onnx"),
    ):
        (got,) = run_frozen(runtime, 4, cases)
        np.testing.assert_allclose(got, expected, atol=contract.outputs[0].tolerance, rtol=0)
    served = session.run(cases[0], None)["sensor2"]
    np.testing.assert_allclose(served, expected, atol=contract.outputs[0].tolerance, rtol=0)
    np.testing.assert_array_equal(expected, predict_windows(trained.model, windows)[:, 0])


def test_a_foreign_configuration_is_refused() -> None:
    config = {"channels": 4, "targets": [3], "sequence": 7, "horizons": [1], "hidden": 0}
    with pytest.raises(Exception, match="GearLstmConfig"):
        build("gear-lstm", config)


def test_a_linear_course_is_said_exactly_by_the_linear_map() -> None:
    random = np.random.default_rng(3)
    weights = np.array([0.05, -0.1, 0.1, -0.2, 0.3, -0.4, 0.9])
    column = list(random.standard_normal(SEQUENCE))
    for _ in range(500):
        column.append(float(np.dot(weights, column[-SEQUENCE:])) + 0.5)
    column = np.array(column)
    ends = np.arange(300, 500)
    said = autoregress(column, range(300), ends)
    np.testing.assert_allclose(said, column[ends + 1], rtol=1e-6)


def test_errors_are_those_of_the_test_rows_scaled_and_raw(trained: TrainedGear) -> None:
    result = score_gear(trained, 0.0)
    column = trained.block.rows.values[:, 3]
    test = np.array(trained.block.parts.test)
    past = column[test[:, None] + np.arange(-SEQUENCE, 0)]
    rmse = math.sqrt(np.mean((column[test] - past[:, -1]) ** 2))
    assert result.scores["persistence"].rmse == pytest.approx(rmse, rel=1e-9)
    taught = np.arange(SEQUENCE, trained.block.parts.training.stop)
    inputs = np.stack([column[taught - back] for back in range(1, SEQUENCE + 1)])
    design = np.vstack([inputs, np.ones(len(taught))]).T
    weights = np.linalg.solve(design.T @ design, design.T @ column[taught])
    said = past[:, ::-1] @ weights[:-1] + weights[-1]
    rmse = math.sqrt(np.mean((column[test] - said) ** 2))
    assert result.scores[AUTOREGRESSION].rmse == pytest.approx(rmse, rel=1e-4)
    seen = column[: trained.block.parts.training.stop]
    assert result.spread == pytest.approx(seen.max() - seen.min(), rel=1e-6)
    assert {score.count for score in result.scores.values()} == {len(test)}


def test_a_tone_is_learned_better_than_persistence() -> None:
    times = np.arange(2_000)
    tone = 2.5 + 0.1 * np.sin(2 * np.pi * times / 25)
    block = make_block(as_vibration(np.stack([tone, tone], axis=1)))
    results = evaluate_gear({3: block}, hidden=16, epochs=30)
    scores = results[0].scores
    assert scores["gear-lstm"].rmse < 0.5 * scores["persistence"].rmse
    assert {epoch.member for epoch in results[0].trained.history} == {3}


def test_what_is_no_block_is_named() -> None:
    values = make_sensors(400, 25.0, 0.0)
    one = as_vibration(values)
    with pytest.raises(InputError, match=r"^rows of a block: expected 320 or more, got 300"):
        make_block(as_vibration(values[:300]))
    with pytest.raises(
        InputError, match=r"no_fault-8\.33-0: expected sensor1, sensor2, got no sens"
    ):
        make_block(replace(one, channels=("sensor1", "other")))
    with pytest.raises(InputError, match=r"load of no_fault-8\.33-0: expected a number, got none"):
        make_block(replace(one, conditions={"speed": "25"}))


def call(verb: object, *arguments: object) -> Result:
    return CliRunner().invoke(verb, [*map(str, arguments)])


def test_the_verbs_print_counts_first_row_and_errors(tmp_path: Path) -> None:
    data, out = tmp_path / "rig" / "no_fault.csv", tmp_path / "gear.pth"
    write_gear(data, rows=500, speeds=(8.33, 25.0))
    assert len(read_gear(data)) == 4
    result = call(train_verb, "--data", data, "--out", out, "--epochs", 1, "--note", "made up")
    assert result.exit_code == 0, result.output
    assert (
        "first row, scaled: speedSet 0.000000, load_value 0.000000, sensor1 0.6956" in result.output
    )
    assert "273 windows to train, 120 to test; 794,881 parameters" in result.output
    for words in ("persistence", "AR(7)", "MSE, scaled", "RMSE, raw"):
        assert words in result.output
    checkpoint = load_checkpoint(out)
    assert checkpoint.training["note"] == "made up"
    assert checkpoint.channels == (
        ("speedSet", "rev/s"), ("load_value", "%"), ("sensor1", "V"), ("sensor2", "V"),
    )  # fmt: skip
    assert out.with_suffix(".loss.csv").read_text().startswith("member,epoch,")
    folder = tmp_path / "out"
    blocks = ("--block", 1, "--block", 3)
    result = call(
        evaluate_verb, "--data", data, *blocks, "--epochs", 1, "--out", folder, "--note", "made up"
    )
    assert result.exit_code == 0, result.output
    table = (folder / "table.md").read_text()
    assert result.output.strip() == table.strip()
    assert "made up" in table
    assert "no_fault-8.33-80" in table
    assert "no_fault-25-80" in table
    assert "no_fault-25-0 " not in table
    rows = (folder / "loss.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["member", "1", "3"]
    facts = json.loads(
        call(train_verb, "--data", data, "--out", out, "--epochs", 1, "--json").output
    )
    assert facts["scaled"]["persistence"]["rmse"] == pytest.approx(
        facts["raw"]["persistence"]["rmse"] / facts["spread"]
    )


def test_what_does_not_go_with_a_gear_file_is_refused(tmp_path: Path) -> None:
    data, plant, out = tmp_path / "no_fault.csv", tmp_path / "plant.csv", tmp_path / "out"
    write_gear(data, rows=400, speeds=(25.0,))
    plant.write_text("time,flow\n2024-01-01 00:00,1\n")
    to = ("--out", out)
    for verb, arguments, message in (
        (train_verb, ("--data", data, "--target", "sensor2", *to), "--target is not for a gear"),
        (train_verb, ("--data", data, "--model", "linear", *to), "go together, got --model linear"),
        (train_verb, ("--data", plant, *to), "expected --target"),
        (train_verb, ("--data", plant, "--target", "flow", "--block", 1, *to), "no --block"),
        (evaluate_verb, ("--model", "gear-lstm"), "go together, got no --data"),
        (evaluate_verb, ("--data", plant, "--target", "flow", "--block", 1), "gear file alone"),
    ):
        result = call(verb, *arguments)
        assert result.exit_code == 2, result.output
        assert message in result.output
    result = call(train_verb, "--data", data, "--block", 6, *to)
    assert str(result.exception) == "block: expected 0 to 1, got 6"
    result = call(train_verb, "--data", plant, "--model", "gear-lstm", *to)
    assert "plant.csv: header: expected one column 'sensor1'" in str(result.exception)
    assert not out.exists()

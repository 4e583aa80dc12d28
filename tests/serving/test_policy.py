"""How many rows are run together, by what was measured."""

import time

import numpy as np
import pytest

from wearcast.serving.policy import Policy, measure_runs


def test_policy_of_models_that_gain_and_of_those_that_do_not():
    gains = Policy({1: 0.001, 8: 0.004, 32: 0.01}, workers=2)
    assert gains.batches
    assert [gains.choose_size(waiting) for waiting in (1, 3, 8, 12, 100)] == [1, 1, 8, 8, 32]
    assert gains.rows_per_s == pytest.approx(6400)
    without = Policy({1: 0.001, 8: 0.0079, 32: 0.04}, workers=2)
    assert not without.batches
    assert [without.choose_size(waiting) for waiting in (1, 12, 100)] == [1, 1, 1]
    assert Policy({4: 0.001}, workers=1).choose_size(1) == 4


class Stepping:
    """A runner that takes 0.5 ms and 0.1 ms a row, by a clock that goes in steps of 30 ms."""

    def __init__(self, now_s):
        self.now_s = now_s

    def run_batch(self, inputs):
        self.now_s += 0.0005 + 0.0001 * len(inputs[0])

    def tell_s(self):
        return self.now_s // 0.03 * 0.03


@pytest.mark.parametrize("now_s", [0.0, 0.01, 0.028, 0.0295])
def test_a_clock_in_steps_longer_than_a_run_is_measured_from_step_to_step(monkeypatch, now_s):
    runner = Stepping(now_s)
    monkeypatch.setattr(time, "thread_time", runner.tell_s)
    policy = measure_runs([runner], [np.zeros((3, 2), np.float32)], [1, 8])
    assert policy.run_s == pytest.approx({1: 0.0006, 8: 0.0013}, rel=0.05)
    assert policy.batches

"""Ways to answer about gear vibration: plain learners on features, and trivial answers beside them.

A way is a function: given examples to learn from, it gives a function that answers others.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from wearcast.training.gear.examples import Examples
from wearcast.training.gear.features import describe_level, describe_shape, describe_turns
from wearcast.training.gear.shaft import fit_shaft

Array = NDArray[np.float64]
Answer = Callable[[Examples], Array]
# Learns from examples, of so many faults; answers with probabilities float64 (n, faults).
Classifier = Callable[[Examples, int], Answer]
# Learns from examples and a number for each; answers with numbers float64 (n,).
Regressor = Callable[[Examples, Array], Answer]

# Chosen: few enough that all tasks take a minute.
_TREES = 100
# Features that a tree may choose among at a split, as a share. Source: Hastie, Tibshirani and
# Friedman, The Elements of Statistical Learning, Springer (2009), 15.3: a third for regression.
_SHARE = 1 / 3
# Chosen: a firm penalty, as the logarithm of a single line scatters widely.
_INVERSE_PENALTY = 0.1
_PENALTIES = np.logspace(-2, 4, 13)


def list_classifiers(seed: int = 0) -> dict[str, Classifier]:
    """By name; `majority` answers with the faults' shares among what it learns from.

    `orders` looks at multiples of the shaft's speed, which it finds in the vibration.
    """
    return {
        "majority": _learn_shares,
        "logistic": _classify_by(
            lambda: make_pipeline(StandardScaler(), LogisticRegression(max_iter=5_000))
        ),
        "forest": _classify_by(lambda: RandomForestClassifier(_TREES, random_state=seed)),
        "orders": _classify_by_orders,
    }


def list_regressors(seed: int = 0) -> dict[str, dict[str, Regressor]]:
    """By target and name; `mean` answers with the mean of what it learns from.

    `orders` finds a speed by what shifts with it; no load is found so.
    """
    both: dict[str, Regressor] = {
        "mean": _learn_mean,
        "ridge": _regress_by(lambda: make_pipeline(StandardScaler(), RidgeCV(_PENALTIES))),
        "forest": _regress_by(
            lambda: RandomForestRegressor(_TREES, max_features=_SHARE, random_state=seed)
        ),
    }
    return {"speed": {**both, "orders": _find_speeds}, "load": both}


def _learn_shares(examples: Examples, faults: int) -> Answer:
    shares = np.bincount(examples.faults, minlength=faults) / len(examples)
    return lambda others: np.repeat(shares[None], len(others), axis=0)


def _learn_mean(_examples: Examples, numbers: Array) -> Answer:
    return lambda others: np.full(len(others), numbers.mean())


def _classify_by(make: Callable[[], Any]) -> Classifier:
    """A classifier of scikit-learn on features of shape."""

    def learn(examples: Examples, faults: int) -> Answer:
        learner = make()
        learner.fit(_shapes(examples), examples.faults)

        def answer(others: Examples) -> Array:
            said = learner.predict_proba(_shapes(others))
            return _fill(said, learner.classes_, faults)

        return answer

    return learn


def _classify_by_orders(examples: Examples, faults: int) -> Answer:
    """Where it learns, it knows the speeds; where it answers, it finds them."""
    shaft = fit_shaft(examples)
    learner = make_pipeline(
        StandardScaler(), LogisticRegression(C=_INVERSE_PENALTY, max_iter=5_000)
    )
    rate_hz = examples.sample_rate_hz
    learner.fit(describe_turns(examples.values, examples.speeds, rate_hz), examples.faults)

    def answer(others: Examples) -> Array:
        turns = describe_turns(others.values, shaft.find_speeds(others), rate_hz)
        return _fill(learner.predict_proba(turns), learner.classes_, faults)

    return answer


def _find_speeds(examples: Examples, _speeds: Array) -> Answer:
    return fit_shaft(examples).find_speeds


def _fill(said: Array, classes: NDArray[np.int64], faults: int) -> Array:
    """Probabilities float64 (n, faults), 0 for faults that were not among what is learned from."""
    probabilities = np.zeros((len(said), faults))
    probabilities[:, classes] = said
    return probabilities


def _regress_by(make: Callable[[], Any]) -> Regressor:
    """A regression of scikit-learn on features of level."""

    def learn(examples: Examples, numbers: Array) -> Answer:
        learner = make()
        learner.fit(_levels(examples), numbers)
        return lambda others: np.asarray(learner.predict(_levels(others)), np.float64)

    return learn


# Several ways ask for the same features: kept for what is learned from and what is tested.
@lru_cache(maxsize=2)
def _shapes(examples: Examples) -> Array:
    return describe_shape(examples.values, examples.sample_rate_hz)


@lru_cache(maxsize=2)
def _levels(examples: Examples) -> Array:
    return describe_level(examples.values, examples.sample_rate_hz)

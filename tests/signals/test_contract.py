import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny import tiny_contract

from wearcast.signals.contract import Contract, RulCalibration
from wearcast.signals.errors import ArtefactError

POSITIVE = st.floats(1e-6, 1e9)
NAMES = st.text(min_size=1, max_size=20)


@given(
    name=NAMES,
    version=st.integers(1, 2**31),
    sample_rate_hz=POSITIVE,
    hop_s=POSITIVE,
    window=st.integers(1, 10**6),
    batch_sizes=st.lists(st.integers(1, 512), min_size=1, max_size=4, unique=True).map(sorted),
    prior=st.tuples(POSITIVE, POSITIVE),
    training=st.dictionaries(NAMES, st.one_of(st.integers(0, 99), NAMES, st.booleans())),
)
def test_a_contract_comes_back_from_its_json(name, prior, batch_sizes, training, **fields) -> None:
    contract = msgspec.structs.replace(
        tiny_contract(),
        name=name,
        batch_sizes=tuple(batch_sizes),
        rul=RulCalibration(prior_log_mean=prior[0], prior_log_sd=prior[1]),
        training=training,
        **fields,
    )
    assert Contract.from_json(contract.to_json()) == contract


def without(key: str) -> str:
    fields = msgspec.json.decode(tiny_contract().to_json())
    del fields[key]
    return msgspec.json.encode(fields).decode()


def with_field(key: str, value: object) -> str:
    fields = msgspec.json.decode(tiny_contract().to_json())
    return msgspec.json.encode({**fields, key: value}).decode()


@pytest.mark.parametrize("key", ["name", "channels", "sample_rate_hz", "outputs", "batch_sizes"])
def test_a_missing_key_is_refused(key: str) -> None:
    with pytest.raises(
        ArtefactError, match=f"contract: expected .* missing required field `{key}`"
    ):
        Contract.from_json(without(key))


@pytest.mark.parametrize(
    ("field", "values"),
    [
        (
            "thresholds",
            [
                [],
                [0.4, 0.7, 0.9],
                [0.4, 0.7, 0.9, 1.0, 1.0],
                [0.4, 0.9, 0.7, 1.0],
                [0.4, 0.4, 0.9, 1.0],
                [0.0, 0.7, 0.9, 1.0],
                [0.4, 0.7, 0.9, 1.1],
            ],
        ),
        ("levels", [[0.5], [0.0, 0.6, 0.5, 1.0], [0.1, 0.5, 1.0], [0.0, 0.5, 0.9], [1.0, 0.0]]),
        ("horizons_s", [[0.0, 60.0], [60.0, 60.0], [600.0, 60.0], [-1.0]]),
        ("interval_probability", [0.0, 1.0, -0.1, 80.0]),
    ],
)
def test_a_senseless_calibration_is_refused(field: str, values: list) -> None:
    for value in values:
        rul = {"prior_log_mean": 9.0, "prior_log_sd": 0.6, field: value}
        with pytest.raises(
            ArtefactError, match=rf"rul\.{field}: expected .* got .*\$\.rul"
        ) as caught:
            Contract.from_json(with_field("rul", rul))
        assert caught.value.exit_code == 5


@pytest.mark.parametrize("levels", [[], [0.0, 1.0], [0.0, 0.2, 0.2, 1.0]])
@pytest.mark.parametrize("horizons_s", [[], [1.0, 2.0]])
def test_a_calibration_at_the_edge_is_taken(levels: list[float], horizons_s: list[float]) -> None:
    rul = {
        "prior_log_mean": 9.0,
        "prior_log_sd": 0.6,
        "levels": levels,
        "horizons_s": horizons_s,
        "thresholds": [1e-9, 0.5, 0.75, 1.0],
        "interval_probability": 0.999,
    }
    assert Contract.from_json(with_field("rul", rul)).rul.levels == tuple(levels)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "contract: expected valid JSON with every key, got Input data was truncated"),
        ("{", "contract: expected valid JSON with every key, got Input data was truncated"),
        ("[]", "Expected `object`, got `array`"),
        (with_field("window", "64"), r"Expected `int`, got `str` - at `\$.window`"),
        (with_field("channels", [{"name": "h"}]), "missing required field `unit`"),
        (with_field("rul", {"prior_log_mean": 9.0}), "missing required field `prior_log_sd`"),
        (with_field("colour", "red"), "unknown field `colour`"),
        (with_field("format", 1), "contract.format: expected 2, got 1"),
    ],
)
def test_a_bad_contract_is_refused(text: str, message: str) -> None:
    with pytest.raises(ArtefactError, match=message) as caught:
        Contract.from_json(text)
    assert caught.value.exit_code == 5

"""Which models can judge a plant's rows."""

import msgspec
import pytest
from tiny import tiny_contract
from tiny_fault import CONTRACT as FAULT
from tiny_plant import FORECAST, OUTLIER

from wearcast.clients.edge.models import check_fit
from wearcast.signals.contract import Contract
from wearcast.signals.errors import MismatchError

CHANNELS = {"flow": "m3/h", "pressure": "bar"}


def test_models_of_rows_fit() -> None:
    check_fit([FORECAST, OUTLIER], CHANNELS, 60.0)


@pytest.mark.parametrize(
    "contract",
    [tiny_contract(), FAULT, msgspec.structs.replace(FAULT, window=1, hop_s=1 / 2560)],
    ids=["life", "fault", "fault of single readings"],
)
def test_models_of_recordings_are_refused(contract: Contract) -> None:
    with pytest.raises(MismatchError, match="models: expected models of a plant's rows, got tiny"):
        check_fit([contract], CHANNELS, 60.0)

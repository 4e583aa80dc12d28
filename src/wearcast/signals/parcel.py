"""What an edge service sends to the central server: rows, forecasts or alerts, under one key."""

from enum import StrEnum

import msgspec

from wearcast.signals.alerts import Alert
from wearcast.signals.estimate import Estimate
from wearcast.signals.plant_table import Columns, PlantRow


class ParcelKind(StrEnum):
    """What is in a parcel."""

    ROWS = "ROWS"
    DAY = "DAY"
    FORECASTS = "FORECASTS"
    ALERTS = "ALERTS"


class Parcel(msgspec.Struct, frozen=True):
    """One delivery.

    key: the same whenever it is sent again, and no other parcel's. first_us, end_us: the time that
    it is about, from first to before end. expected: rows that this time has; complete: all of them
    are there, with every reading. rows hold those of that time first, then earlier ones that have
    changed since they were sent. columns: of the rows.
    """

    key: str
    asset: str
    kind: ParcelKind
    first_us: int
    end_us: int
    created_us: int
    expected: int = 0
    complete: bool = True
    columns: Columns | None = None
    rows: tuple[PlantRow, ...] = ()
    forecasts: tuple[Estimate, ...] = ()
    alerts: tuple[Alert, ...] = ()

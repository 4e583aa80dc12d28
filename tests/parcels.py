"""Parcels of an edge service."""

from wearcast.signals.alerts import Alert, AlertKind
from wearcast.signals.estimate import Estimate, Forecast, ForecastPoint
from wearcast.signals.parcel import Parcel, ParcelKind
from wearcast.signals.plant_table import Columns, PlantRow

START_US = 1_714_521_600_000_000  # 2024-05-01T00:00:00Z
MINUTE_US = 60_000_000
COLUMNS = Columns(
    (("flow_rate", "m3/h"), ("pressure", "bar")), (("actual", "flow_rate"), ("multivariate", ""))
)


def row(minute: int) -> PlantRow:
    """A row that no other minute has."""
    return PlantRow(
        START_US + minute * MINUTE_US,
        (40.0 + minute, None if minute % 7 == 3 else 5.25),
        (None, 5.0),
        (minute % 5, None if minute % 2 else -1),
        ("MISSING",) if minute % 7 == 3 else (),
    )


def rows_parcel(number: int, asset: str = "plant") -> Parcel:
    """The rows of the ten minutes of that number."""
    minutes = range(10 * number, 10 * number + 10)
    first_us = START_US + 10 * number * MINUTE_US
    return Parcel(
        key=f"{asset}/rows/{number}",
        asset=asset,
        kind=ParcelKind.ROWS,
        first_us=first_us,
        end_us=first_us + 10 * MINUTE_US,
        created_us=first_us + 11 * MINUTE_US,
        expected=10,
        complete=all(minute % 7 != 3 for minute in minutes),
        columns=COLUMNS,
        rows=tuple(row(minute) for minute in minutes),
    )


def forecasts_parcel(asset: str = "plant") -> Parcel:
    points = (
        ForecastPoint("flow_rate", "m3/h", 3600.0, ((0.1, 38.5), (0.5, 40.0))),
        ForecastPoint("pressure", "bar", 3600.0, ((0.5, 5.5),)),
    )
    estimates = tuple(
        Estimate(
            59 + 60 * hour, START_US + hour * 60 * MINUTE_US, quality, Forecast(points), "flow"
        )
        for hour, quality in enumerate([(), ("MISSING", "QUALITY_FLAG_99")])
    )
    return Parcel(
        key=f"{asset}/forecasts/0",
        asset=asset,
        kind=ParcelKind.FORECASTS,
        first_us=START_US,
        end_us=START_US + 120 * MINUTE_US,
        created_us=START_US + 121 * MINUTE_US,
        forecasts=estimates,
    )


def alerts_parcel(asset: str = "plant") -> Parcel:
    return Parcel(
        key=f"{asset}/alerts/0",
        asset=asset,
        kind=ParcelKind.ALERTS,
        first_us=START_US,
        end_us=START_US + MINUTE_US,
        created_us=START_US + MINUTE_US,
        alerts=(
            Alert(
                f"{asset}/1",
                asset,
                AlertKind.RAISED,
                START_US,
                "actual",
                "flow_rate",
                "m3/h",
                3,
                0,
                71.5,
                model="flow-outlier",
            ),
            Alert(
                f"{asset}/2",
                asset,
                AlertKind.DE_ESCALATED,
                START_US + 1,
                "system",
                "",
                "",
                1,
                4,
                None,
                "MISSING",
                "flow-outlier",
                ("MISSING", "GARBLED"),
            ),
        ),
    )

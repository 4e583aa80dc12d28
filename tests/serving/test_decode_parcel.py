"""Parcels come out of messages as they went in."""

from hypothesis import assume, given
from hypothesis import strategies as st

from wearcast.clients.edge.carriers.messages import encode_parcel
from wearcast.serving.decode_parcel import decode_parcel
from wearcast.signals.alerts import Alert, AlertKind
from wearcast.signals.estimate import Estimate, Forecast, ForecastPoint
from wearcast.signals.parcel import Parcel, ParcelKind
from wearcast.signals.plant_table import Columns, PlantRow
from wearcast.v1 import ingest_pb2 as pb

TEXTS = st.text(st.characters(codec="utf-8", categories=("L", "N", "P")), min_size=1, max_size=20)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
TIMES_US = st.integers(0, 253_370_764_799_999_999)
FLAGS = st.lists(TEXTS, max_size=2).map(tuple)


@st.composite
def parcels(draw) -> Parcel:
    asset = draw(TEXTS)
    names = draw(st.lists(TEXTS.map(lambda text: f"c{text}"), min_size=1, max_size=3, unique=True))
    detectors = draw(st.lists(TEXTS, max_size=2, unique=True))
    columns = Columns(
        tuple((name, draw(TEXTS)) for name in names),
        tuple((detector, draw(st.sampled_from(["", *names]))) for detector in detectors),
    )
    readings = st.tuples(*[st.none() | NUMBERS for _ in names])
    stages = st.tuples(*[st.none() | st.integers(-1, 4) for _ in detectors])
    rows = draw(st.lists(st.builds(PlantRow, TIMES_US, readings, readings, stages, FLAGS)))
    values = st.lists(st.tuples(NUMBERS, NUMBERS), max_size=2).map(tuple)
    points = st.lists(st.builds(ForecastPoint, TEXTS, TEXTS, st.floats(0, 1e5), values), max_size=2)
    qualities = st.lists(st.sampled_from(["MISSING", "AFTER_GAP", "QUALITY_FLAG_77"])).map(tuple)
    answers = st.builds(Forecast, points.map(tuple))
    whole = st.integers(0, 2**40)
    estimates = st.lists(st.builds(Estimate, whole, TIMES_US, qualities, answers, TEXTS))
    alerts = st.lists(
        st.builds(
            Alert,
            TEXTS,
            st.just(asset),
            st.sampled_from(AlertKind),
            TIMES_US,
            TEXTS,
            TEXTS | st.just(""),
            TEXTS,
            st.integers(0, 4),
            st.integers(0, 4),
            st.none() | NUMBERS,
            TEXTS,
            TEXTS,
            FLAGS,
        )
    )
    first_us, end_us = sorted(draw(st.tuples(TIMES_US, TIMES_US)))
    return Parcel(
        draw(TEXTS),
        asset,
        draw(st.sampled_from(ParcelKind)),
        first_us,
        end_us,
        draw(TIMES_US),
        draw(st.integers(0, 2**32 - 1)),
        draw(st.booleans()),
        columns if rows else None,
        tuple(rows),
        tuple(draw(estimates)),
        tuple(draw(alerts)),
    )


@given(parcels())
def test_a_parcel_is_the_same_on_the_other_side(parcel):
    names = parcel.columns.names if parcel.columns else []
    assume(len(set(names)) == len(names))  # else it is refused
    sent = encode_parcel(parcel).SerializeToString()
    assert decode_parcel(pb.IngestRequest.FromString(sent)) == parcel

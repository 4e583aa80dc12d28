"""Alerts written out."""

import json
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from wearcast.clients.edge.settings import EdgeSettings
from wearcast.clients.edge.telling import AlertWriter
from wearcast.signals.alerts import Alert, AlertKind
from wearcast.signals.errors import StoreError


@contextmanager
def no_file_longer_than(size: int) -> Iterator[None]:
    """As on a full disk, what is written comes up to there; Python ignores SIGXFSZ."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_alert_that_found_no_room_leaves_no_half_line(tmp_path: Path) -> None:
    file = tmp_path / "alerts.ndjson"
    alerts = {"file": file, "format": "cloudevents"}
    settings = EdgeSettings(asset="pump", sources=[{"type": "stdin"}], alerts=alerts)
    alert = Alert(
        id="pump/1",
        asset="pump",
        kind=AlertKind.RAISED,
        time_us=0,
        detector="system",
        channel="flow",
        unit="m3/h",
        stage=4,
        previous_stage=0,
        value=1.0,
        cause="",
        model="tiny-outlier",
        quality=(),
    )
    write = AlertWriter(settings)
    write([alert])
    with (
        no_file_longer_than(file.stat().st_size * 3 // 2),
        pytest.raises(StoreError, match="large"),
    ):
        write([alert])
    write([alert])
    assert len([json.loads(line) for line in file.read_text().splitlines()]) == 2

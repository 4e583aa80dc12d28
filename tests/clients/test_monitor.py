import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from running import RunningServer, running_server
from tiny import wearing_block

from wearcast.clients import Acknowledged, Client, ClientSettings, Notice
from wearcast.clients.errors import ServerError
from wearcast.clients.monitor import MonitorSettings
from wearcast.signals.errors import (
    InputError,
    MismatchError,
    NotFoundError,
    ReplacedError,
    UnreachableError,
)
from wearcast.signals.estimate import Estimate
from wearcast.signals.series import Block

LIFE = 60
RECORD = [wearing_block(number, LIFE) for number in range(LIFE)]
QUICK = ClientSettings(monitor=MonitorSettings(first_wait_s=0.05, longest_wait_s=0.2))


class ListSource:
    """A record that can be read again; blocks from `held_from` on wait until that is raised."""

    def __init__(self, blocks: list[Block], held_from: int = LIFE) -> None:
        self._blocks = blocks
        self.held_from = held_from
        self.asked: list[int] = []
        self.released = 0
        self.after_sent: Callable[[int], object] = lambda _number: None

    def blocks(self, from_sequence: int) -> Iterator[Block | None]:
        self.asked.append(from_sequence)
        for block in self._blocks:
            if block.sequence >= from_sequence:
                while block.sequence >= self.held_from:
                    time.sleep(0.02)
                    yield None
                yield block
                self.after_sent(block.sequence)

    def release(self, before: int) -> None:
        self.released = max(self.released, before)


def _predict(address: str, blocks: list[Block] = RECORD) -> list[Estimate]:
    with Client(address) as client:
        return list(client.predict(blocks, model="tiny"))


def _estimates(events: list[Any]) -> list[Estimate]:
    return [event for event in events if isinstance(event, Estimate)]


def test_stream_equals_prediction(tiny_server: RunningServer) -> None:
    source = ListSource(RECORD)
    with Client(tiny_server.address) as client:
        events = list(client.monitor(source, asset="whole", model="tiny"))
    assert _estimates(events) == _predict(tiny_server.address)
    acknowledged = [event.sequence for event in events if isinstance(event, Acknowledged)]
    assert acknowledged == sorted(acknowledged)
    assert acknowledged[-1] == LIFE - 1
    # A window of 3 blocks after the last one still needs the last 2.
    assert source.released == LIFE - 2
    assert [event.code for event in events if isinstance(event, Notice)] == ["LIFE_ALARM"]


@pytest.mark.parametrize("kind", ["kill", "terminate"])
def test_server_that_dies_twice_loses_nothing_and_repeats_nothing(
    kind: str, tiny_models: Path, tmp_path: Path, own_address: str
) -> None:
    flags = ("--store", str(tmp_path / "store.sqlite"))
    with running_server(tiny_models) as undisturbed:
        expected = _predict(undisturbed.address)
    # Once while the server waits for blocks, once while it answers.
    source = ListSource(RECORD, held_from=15)
    events: list[Any] = []
    with ExitStack() as stack:
        running = [stack.enter_context(running_server(tiny_models, *flags, listen=own_address))]
        client = stack.enter_context(Client(own_address, settings=QUICK))
        for event in client.monitor(source, asset="pump", model="tiny"):
            events.append(event)
            if isinstance(event, Estimate) and event.sequence in {14, 16}:
                getattr(running[-1], kind)()
                again = running_server(tiny_models, *flags, listen=own_address)
                running.append(stack.enter_context(again))
                # It must not be through with all of them before the second time.
                source.held_from = 50 if event.sequence == 14 else LIFE
    assert len(running) == 3
    assert _estimates(events) == expected
    notices = [event for event in events if isinstance(event, Notice)]
    told = [event.code for event in notices if event.code != "DRAINING"]
    assert told.count("RECONNECTING") == told.count("RECONNECTED") == 2
    assert [code for code in told if not code.startswith("RECONNECT")] == ["LIFE_ALARM"]
    # After block 14 the next window is 13, 14, 15.
    assert source.asked[:2] == [0, 13]


def test_second_client_of_an_asset_goes_on_where_the_first_stopped(
    tiny_server: RunningServer,
) -> None:
    with Client(tiny_server.address) as client:
        list(client.monitor(ListSource(RECORD[:30]), asset="handed-over", model="tiny"))
        source = ListSource(RECORD)
        events = list(client.monitor(source, asset="handed-over", model="tiny"))
    assert source.asked == [28]
    assert _estimates(events) == _predict(tiny_server.address)


def test_stream_that_another_one_replaces_ends_and_stays_away(tiny_server: RunningServer) -> None:
    # A name that reads like a broken connection must not be taken for one.
    asset = "pump 3, socket closed"
    source = ListSource(RECORD, held_from=15)
    with Client(tiny_server.address, settings=QUICK) as client, Client(client.address) as other:
        events = client.monitor(source, asset=asset, model="tiny")
        for event in events:
            if isinstance(event, Acknowledged) and event.sequence == 14:
                break
        later = _estimates(list(other.monitor(ListSource(RECORD), asset=asset, model="tiny")))
        with pytest.raises(ReplacedError) as caught:
            list(events)
    assert str(caught.value) == f"another stream took over asset {asset!r} of tiny/1"
    assert caught.value.exit_code == 6
    assert source.asked == [0]
    assert later == _predict(tiny_server.address)


def test_source_that_lost_blocks_declares_a_gap(tiny_server: RunningServer) -> None:
    with Client(tiny_server.address) as client:
        list(client.monitor(ListSource(RECORD[:30]), asset="forgetful", model="tiny"))
        events = list(client.monitor(ListSource(RECORD[35:]), asset="forgetful", model="tiny"))
    sequences = [estimate.sequence for estimate in _estimates(events)]
    assert sequences == [*range(2, 30), *range(37, LIFE)]
    assert "GAP" in [event.code for event in events if isinstance(event, Notice)]


def test_stop_ends_with_the_answers_to_what_was_sent(tiny_server: RunningServer) -> None:
    stop = threading.Event()
    estimates = []
    with Client(tiny_server.address) as client:
        source = ListSource(RECORD, held_from=20)
        for event in client.monitor(source, asset="stopped", model="tiny", stop=stop):
            if isinstance(event, Estimate):
                estimates.append(event)
                if event.sequence == 19:
                    stop.set()
    assert [estimate.sequence for estimate in estimates] == [*range(2, 20)]


def test_server_that_stays_away_is_given_up_after_so_many_attempts(
    tiny_models: Path, own_address: str
) -> None:
    settings = ClientSettings(
        monitor=MonitorSettings(first_wait_s=0.01, longest_wait_s=0.02, attempts=3)
    )
    with (
        running_server(tiny_models, listen=own_address) as server,
        Client(own_address, settings=settings) as client,
    ):
        events = client.monitor(ListSource(RECORD, held_from=15), asset="left", model="tiny")
        for event in events:
            if isinstance(event, Acknowledged) and event.sequence == 14:
                break
        server.kill()
        with pytest.raises(UnreachableError, match=f"server {own_address}.*gave up"):
            list(events)


def test_server_that_is_away_is_told_once_and_so_is_its_return(
    tiny_models: Path, tmp_path: Path, own_address: str
) -> None:
    flags = ("--store", str(tmp_path / "store.sqlite"))
    source = ListSource(RECORD, held_from=15)
    notices = []
    with running_server(tiny_models, *flags, listen=own_address) as server, ExitStack() as stack:
        client = stack.enter_context(Client(own_address, settings=QUICK))
        for event in client.monitor(source, asset="told", model="tiny"):
            if isinstance(event, Acknowledged) and event.sequence == 14:
                server.kill()
                source.held_from = LIFE
            if isinstance(event, Notice):
                notices.append(event)
            if isinstance(event, Notice) and event.code == "RECONNECTING":
                time.sleep(1)
                stack.enter_context(running_server(tiny_models, *flags, listen=own_address))
    assert [notice.code for notice in notices] == ["RECONNECTING", "RECONNECTED", "LIFE_ALARM"]
    assert str(notices[0]).startswith(f"server {own_address}: ")
    assert str(notices[0]).endswith("; trying again")
    assert str(notices[1]) == f"server {own_address}: connected again"


@pytest.mark.parametrize("answered", [True, False])
def test_stop_while_the_server_is_away_fails_only_if_answers_are_due(
    tiny_models: Path, own_address: str, *, answered: bool
) -> None:
    stop = threading.Event()
    source = ListSource(RECORD, held_from=15)
    with (
        running_server(tiny_models, listen=own_address) as server,
        Client(own_address, settings=QUICK) as client,
    ):
        if not answered:
            # From block 5 on it answers nothing, though blocks still reach it.
            actions = {5: lambda: server.process.send_signal(signal.SIGSTOP), 14: server.kill}
            source.after_sent = lambda number: actions.get(number, int)()
        with (
            pytest.raises(UnreachableError, match="were answered") if not answered else ExitStack()
        ):
            for event in client.monitor(source, asset="left", model="tiny", stop=stop):
                if isinstance(event, Acknowledged) and event.sequence == 14:
                    server.kill()
                if isinstance(event, Notice) and event.code == "RECONNECTING":
                    stop.set()


def test_waits_grow_to_the_longest_and_differ() -> None:
    settings = MonitorSettings(first_wait_s=1.0, longest_wait_s=8.0)
    for attempt, longest_s in ((1, 1.0), (2, 2.0), (4, 8.0), (100, 8.0)):
        waits = {settings.wait_s(attempt) for _ in range(50)}
        assert len(waits) > 40
        assert longest_s / 2 <= min(waits)
        assert max(waits) <= longest_s


def test_failing_source_ends_the_stream_after_what_it_gave(tiny_server: RunningServer) -> None:
    class Failing(ListSource):
        def blocks(self, from_sequence: int) -> Iterator[Block | None]:
            yield from super().blocks(from_sequence)
            raise InputError("line 11", "an object", "nonsense")

    events: list[Any] = []
    with Client(tiny_server.address) as client:
        stream = client.monitor(Failing(RECORD[:10]), asset="failing", model="tiny")
        with pytest.raises(InputError, match="line 11: expected an object"):
            events.extend(stream)
    assert [estimate.sequence for estimate in _estimates(events)] == [*range(2, 10)]


def _with(block: Block, **changes: Any) -> Block:
    fields = {name: getattr(block, name) for name in Block.__slots__}
    return Block(**fields | changes)


@pytest.mark.parametrize(
    ("bad", "kind", "exit_code", "text"),
    [
        ({"sequence": 1}, InputError, 3, "sequence: expected 2, got 1 again"),
        ({"sequence": 0}, InputError, 3, "sequence: expected 2 or more, got 0"),
        ({"sequence": 5}, InputError, 3, "sequence: expected 2, or after_gap set, got 5"),
        ({"values": RECORD[2].values * float("nan")}, InputError, 3, "a finite number"),
        ({"values": RECORD[2].values[:1]}, MismatchError, 5, "channels: expected 2"),
        ({"values": RECORD[2].values[:, :9]}, MismatchError, 5, "got 9"),
        ({"sample_rate_hz": 1.0}, MismatchError, 5, "sample_rate_hz: expected 25600.0, got 1.0"),
    ],
)
def test_refusals_come_back_as_the_errors_they_were(
    tiny_server: RunningServer,
    bad: dict[str, Any],
    kind: type[Exception],
    exit_code: int,
    text: str,
) -> None:
    blocks = [*RECORD[:2], _with(RECORD[2], **bad)]
    with Client(tiny_server.address) as client:
        with pytest.raises(kind) as caught:
            list(client.predict(blocks, model="tiny"))
        with pytest.raises(kind) as caught_live:
            list(client.monitor(ListSource(blocks), asset=text, model="tiny"))
    for error in (caught.value, caught_live.value):
        assert text in str(error)
        assert error.exit_code == exit_code


def test_unknown_model_is_not_found(tiny_server: RunningServer) -> None:
    with Client(tiny_server.address) as client:
        assert [(model.name, model.version) for model in client.models()] == [("tiny", 1)]
        assert client.model("tiny").sequence == 3
        for ask in (
            lambda: client.model("nobody"),
            lambda: list(client.predict(RECORD, model="nobody")),
            lambda: list(client.monitor(ListSource(RECORD), asset="a", model="tiny", version=7)),
        ):
            with pytest.raises(NotFoundError, match="model: expected one of tiny/1, got"):
                ask()


def test_message_above_the_servers_limit_is_refused(tiny_server: RunningServer) -> None:
    settings = ClientSettings(blocks_per_message=40_000)
    with Client(tiny_server.address, settings=settings) as client:
        with pytest.raises(ServerError, match="larger than max") as caught:
            list(client.predict([RECORD[0]] * 40_000, model="tiny"))
        assert (caught.value.status, caught.value.exit_code) == ("RESOURCE_EXHAUSTED", 3)
        assert _predict(tiny_server.address, RECORD[:3])[0].sequence == 2


def test_server_with_tls_is_trusted_through_its_authority(
    tiny_models: Path, tmp_path: Path
) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext"
    names = ["subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*command.split(), *names], check=True, capture_output=True)
    flags = ("--tls-cert", str(certificate), "--tls-key", str(key))
    with running_server(tiny_models, *flags) as server:
        with Client(server.address, tls_ca=certificate) as client:
            assert len(list(client.predict(RECORD[:5], model="tiny"))) == 3
            events = client.monitor(ListSource(RECORD[:5]), asset="secret", model="tiny")
            assert len(_estimates(list(events))) == 3
        with (
            Client(server.address, settings=ClientSettings(connect_timeout_s=0.5)) as client,
            pytest.raises(UnreachableError, match=f"no server answers at {server.address}"),
        ):
            client.models()


def test_unreadable_certificate_authority_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="tls_ca: expected a readable file"):
        Client(tls_ca=tmp_path / "missing.pem")

"""Getting into a server: tokens and certificates of clients, verbs and the edge service."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from bearer import TokenFile
from certificates import Authority, needs_openssl
from parcels import rows_parcel
from running import running_server
from tiny import wearing_block
from waiting import LONG_S, wait_until

from wearcast.clients.access import Access
from wearcast.clients.client import Client, ClientSettings
from wearcast.clients.edge.carriers import open_carrier
from wearcast.clients.edge.carriers.grpc_carrier import GrpcSettings
from wearcast.signals.errors import AccessError, InputError, UnreachableError
from wearcast.signals.estimate import Estimate
from wearcast.signals.series import Block

RECORD = [wearing_block(number, 9) for number in range(5)]


class Record:
    """The record as a live source."""

    def blocks(self, from_sequence: int) -> Iterator[Block]:
        yield from RECORD[from_sequence:]

    def release(self, before: int) -> None:
        """All of it stays."""


def run_verb(*words: object, **environment: str) -> subprocess.CompletedProcess[str]:
    program = "from wearcast.clients.cli.main import main; main()"
    return subprocess.run(
        [sys.executable, "-c", program, *map(str, words)],
        check=False,
        capture_output=True,
        text=True,
        timeout=LONG_S,
        env={name: value for name, value in os.environ.items() if name != "WEARCAST_TOKEN"}
        | environment,
    )


def test_a_token_opens_what_its_role_is_for(tiny_models, tmp_path):
    tokens = TokenFile(tmp_path / "tokens.toml", infer=["infer"], ingest=["ingest"])
    own = tmp_path / "token"
    own.write_text(tokens["infer"] + "\n")
    store = ("--store", str(tmp_path / "store.sqlite"))
    with running_server(tiny_models, "--tokens", str(tokens.path), *store) as server:
        for token in (tokens["infer"], own):
            with Client(server.address, token=token) as client:
                assert [contract.name for contract in client.models()] == ["tiny"]
                assert len(list(client.predict(RECORD, model="tiny"))) == 3
                source = Record()
                events = list(client.monitor(source, asset=str(token)[-9:], model="tiny"))
                assert sum(isinstance(event, Estimate) for event in events) == 3
        for token, message in (
            (None, "authorization: expected Bearer TOKEN, got none"),
            ("x", "authorization: expected a token that this server knows, got another"),
            (tokens["ingest"], "authorization: expected role infer for .*, got ingest with ingest"),
        ):
            with Client(server.address, token=token) as client:
                with pytest.raises(AccessError, match=message):
                    client.models()
                with pytest.raises(AccessError, match=message.replace("ListModels", ".*")):
                    list(client.predict(RECORD, model="tiny"))

        ask = ("models", "--server", server.address)
        for done in (
            run_verb(*ask, "--token-file", own),
            run_verb(*ask, WEARCAST_TOKEN=tokens["infer"]),
            run_verb(*ask, "--token-file", own, WEARCAST_TOKEN="x"),
        ):
            assert (done.returncode, done.stderr) == (0, "")
            assert done.stdout.startswith("tiny version 1")
        done = run_verb(*ask)
        assert (done.returncode, done.stdout) == (7, "")
        assert done.stderr == "wearcast: authorization: expected Bearer TOKEN, got none\n"


def test_the_edge_waits_until_its_token_is_let_in(tiny_models, tmp_path):
    tokens = TokenFile(tmp_path / "tokens.toml", infer=["infer"], ingest=["ingest"])
    own = tmp_path / "token"
    own.write_text(tokens["infer"])
    flags = ("--tokens", str(tokens.path), "--store", str(tmp_path / "store.sqlite"))
    with running_server(tiny_models, *flags) as server:
        carrier = open_carrier(GrpcSettings(type="grpc", address=server.address, token_file=own))
        # Not a parcel that is refused for good: a person may mend it.
        with pytest.raises(UnreachableError, match=r"expected role ingest .*, got infer with"):
            carrier.send(rows_parcel(0))
        own.write_text(tokens["ingest"])
        carrier.send(rows_parcel(0))
        carrier.close()


def list_names(client: Client) -> list[str]:
    """Of the server's models; none while it does not answer in the client's time."""
    try:
        return [contract.name for contract in client.models()]
    except UnreachableError:
        return []


@needs_openssl
def test_certificates_of_clients_may_be_renewed(tiny_models, tmp_path):
    ours = Authority(tmp_path, "ours")
    pair, own = ours.issue("server"), ours.issue("client", days=-1)
    tls = ("--tls-cert", pair.cert, "--tls-key", pair.key, "--tls-client-ca", ours.ca)
    settings = ClientSettings(connect_timeout_s=1)
    with running_server(tiny_models, *map(str, tls)) as server:
        named = {"tls_cert": own.cert, "tls_key": own.key, "settings": settings}
        with Client(server.address, ours.ca, **named) as client:
            with pytest.raises(UnreachableError):
                client.models()
            own.replace_by(ours.issue("renewed"))
            wait_until(lambda: list_names(client) == ["tiny"])
        with (
            Client(server.address, ours.ca, settings=settings) as client,
            pytest.raises(UnreachableError),
        ):
            client.models()
        done = run_verb(
            *("models", "--server", server.address, "--tls-ca", ours.ca),
            *("--tls-cert", own.cert, "--tls-key", own.key),
        )
        assert (done.returncode, done.stderr) == (0, "")


def make_files(folder: Path) -> None:
    for name, text in (("pem", "x"), ("empty", ""), ("lines", "a\nb"), ("words", "Bearer abc")):
        (folder / name).write_text(text)


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ({"tls_cert": "pem"}, "x.tls_cert, x.tls_key: expected both or neither, got one"),
        ({"tls_key": "pem"}, "x.tls_cert, x.tls_key: expected both or neither, got one"),
        ({"tls_cert": "pem", "tls_key": "pem"}, "x.tls_ca: expected one, with tls_cert, got none"),
        ({"tls_ca": "gone"}, "x.tls_ca: expected a readable file, got"),
        ({"tls_ca": "pem", "tls_cert": "gone", "tls_key": "pem"}, "x.tls_cert: expected a readabl"),
        ({"token": "gone"}, "x.token: expected a readable file, got"),
        ({"token": "empty"}, "x.token: expected letters, digits and signs in one line, got some"),
        ({"token": "lines"}, "x.token: expected letters, digits and signs in one line, got some"),
        ({"token": "words"}, "x.token: expected letters, digits and signs in one line, got some"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path, named, message):
    make_files(tmp_path)
    files = {name: tmp_path / file for name, file in named.items()}
    with pytest.raises(InputError, match=message):
        Access("localhost:1", **files, field="x.")


def test_a_token_goes_to_another_machine_only_with_tls(tmp_path):
    make_files(tmp_path)
    for address in ("plant.example:8561", "10.0.0.1:8561", "[2001:db8::1]:8561"):
        with pytest.raises(InputError, match="token: expected tls_ca too, to send it to another"):
            Access(address, token="secret")
        Access(address, token="secret", tls_ca=tmp_path / "pem")
        Access(address)
    for address in ("localhost:8561", "127.0.0.1:8561", "[::1]:8561"):
        Access(address, token="secret")

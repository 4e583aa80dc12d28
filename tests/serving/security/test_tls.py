"""Certificates: who is let in, and how they are renewed while the server runs."""

import subprocess
from pathlib import Path

import grpc
import pytest
from certificates import Authority, Pair, needs_openssl, open_channel
from grpc import StatusCode
from grpc_health.v1.health_pb2 import HealthCheckRequest
from grpc_health.v1.health_pb2_grpc import HealthStub
from running import refuse_flags, running_server, serve_command
from tiny import wearing_block
from waiting import LONG_S, wait_until
from wire import TIMEOUT_S, OpenStream, estimates_of

from wearcast.serving.security.tls import make_credentials
from wearcast.signals.errors import InputError

pytestmark = needs_openssl


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ours"), "ours")


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("foreign"), "foreign")


def tls_flags(pair: Pair, *more: object) -> list[str]:
    return list(map(str, ("--tls-cert", pair.cert, "--tls-key", pair.key, *more)))


def lock(key: Path, path: Path) -> Path:
    """The key under a password."""
    command = ["openssl", "ec", "-in", key, "-aes128", "-passout", "pass:secret", "-out", path]
    subprocess.run(command, check=True, capture_output=True)
    return path


def is_let_in(address: str, ca: Path, own: Pair | None = None) -> bool:
    with open_channel(address, ca, own) as channel:
        try:
            HealthStub(channel).Check(HealthCheckRequest(), timeout=TIMEOUT_S)
        except grpc.RpcError as error:
            if error.code() != StatusCode.UNAVAILABLE:
                raise
            return False
        return True


def test_a_client_needs_a_certificate_where_an_authority_is_set(tiny_models, ours, foreign):
    flags = tls_flags(ours.issue("server"), "--tls-client-ca", ours.ca)
    with running_server(tiny_models, *flags) as server:
        assert is_let_in(server.address, ours.ca, ours.issue("client"))
        assert not is_let_in(server.address, ours.ca)
        assert not is_let_in(server.address, ours.ca, foreign.issue("client"))
        assert not is_let_in(server.address, ours.ca, ours.issue("late", days=-1))
        assert not is_let_in(server.address, foreign.ca, ours.issue("client"))
        with grpc.insecure_channel(server.address) as channel, pytest.raises(grpc.RpcError):
            HealthStub(channel).Check(HealthCheckRequest(), timeout=TIMEOUT_S)
        assert server.terminate() == 0


def test_clients_refuse_an_expired_server(tiny_models, ours):
    with running_server(tiny_models, *tls_flags(ours.issue("stale", days=-1))) as server:
        assert not is_let_in(server.address, ours.ca)


def test_renewed_certificates_count_for_new_connections(tiny_models, ours, foreign, tmp_path):
    """The server moves to another authority, and then its clients do; a stream goes on."""
    used = Authority(tmp_path, "used").issue("server")
    used.replace_by(ours.issue("server"))
    client_ca = tmp_path / "clients.pem"
    client_ca.write_bytes(ours.ca.read_bytes())
    old, new = ours.issue("client"), foreign.issue("client")
    flags = tls_flags(used, "--tls-client-ca", client_ca)
    with (
        running_server(tiny_models, *flags) as server,
        open_channel(server.address, ours.ca, old) as channel,
    ):
        stream = OpenStream(channel, "Monitor", asset="pump").open()
        stream.send(*(wearing_block(number, 9) for number in range(4)))
        assert len(estimates_of(stream.responses_until(3))) == 2

        used.replace_by(foreign.issue("server"))
        wait_until(lambda: is_let_in(server.address, foreign.ca, old))
        assert not is_let_in(server.address, ours.ca, old)
        client_ca.write_bytes(foreign.ca.read_bytes())
        wait_until(lambda: is_let_in(server.address, foreign.ca, new))
        assert not is_let_in(server.address, foreign.ca, old)

        stream.send(*(wearing_block(number, 9) for number in range(4, 6)))
        assert len(estimates_of(stream.finish())) == 2


def test_half_a_renewal_changes_nothing(tiny_models, ours, foreign, tmp_path):
    used, log = Authority(tmp_path, "used").issue("server"), tmp_path / "log"
    used.replace_by(ours.issue("server"))
    with running_server(tiny_models, *tls_flags(used), log=log) as server:
        assert is_let_in(server.address, ours.ca)
        renewed = foreign.issue("server")
        used.key.write_bytes(renewed.key.read_bytes())
        said = "expected a certificate and its private key in PEM"
        # Files are looked at when somebody connects.
        wait_until(lambda: is_let_in(server.address, ours.ca) and said in log.read_text())
        used.cert.unlink()
        wait_until(lambda: is_let_in(server.address, ours.ca) and "No such file" in log.read_text())
        used.cert.write_bytes(renewed.cert.read_bytes())
        wait_until(lambda: is_let_in(server.address, foreign.ca))
    text = log.read_text()
    assert text.count(said) == 1
    assert "WARNING tls_cert, tls_key" in text
    assert "what was read before stays in force" in text


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("gone", "key", "ca"), "tls_cert: expected a readable file, got "),
        (("cert", "gone", "ca"), "tls_key: expected a readable file, got "),
        (("cert", "key", "gone"), "tls_client_ca: expected a readable file, got "),
        (("text", "key", "ca"), "tls_cert, tls_key: expected a certificate and its private key"),
        (("cert", "other", "ca"), "tls_cert, tls_key: expected a certificate and its private key"),
        (("cert", "locked", "ca"), "tls_cert, tls_key: expected a certificate and its private key"),
        (("cert", "key", "text"), "tls_client_ca: expected certificates in PEM, got "),
        (("cert", "key", "empty"), "tls_client_ca: expected certificates in PEM, got "),
    ],
)
def test_files_that_cannot_be_used_are_refused(ours, tmp_path, names, message):
    """By what the server calls before it listens."""
    pair = ours.issue("server")
    files = {"cert": pair.cert, "key": pair.key, "ca": ours.ca, "other": ours.issue("b").key}
    files |= {name: tmp_path / name for name in ("gone", "text", "empty", "locked")}
    files["text"].write_text("no certificate")
    files["empty"].touch()
    lock(pair.key, files["locked"])
    with pytest.raises(InputError) as caught:
        make_credentials(*(files[name] for name in names))
    assert message in str(caught.value)


def test_a_key_with_a_password_keeps_the_server_from_starting(tiny_models, ours, tmp_path):
    """It asks nobody for it."""
    pair = ours.issue("server")
    locked = lock(pair.key, tmp_path / "locked")
    flags = tls_flags(Pair(pair.cert, locked), "--listen", "127.0.0.1:0")
    done = subprocess.run(
        serve_command(tiny_models, *flags),
        check=False,
        capture_output=True,
        text=True,
        timeout=LONG_S,
        stdin=subprocess.DEVNULL,
    )
    assert (done.returncode, done.stdout) == (3, "")
    assert "tls_cert, tls_key: expected a certificate and its private key" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_authority_of_clients_needs_a_certificate(tiny_models, ours):
    errors = refuse_flags(tiny_models, "--tls-client-ca", str(ours.ca))
    assert "tls_client_ca: expected tls_cert and tls_key too, got neither" in errors

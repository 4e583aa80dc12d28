"""Parcels by gRPC, to a real server."""

import shlex
import shutil
import subprocess

import pytest
from msgspec.structs import replace
from parcels import forecasts_parcel, row, rows_parcel
from pydantic import ValidationError
from running import running_server

from wearcast.clients.edge.carriers import open_carrier
from wearcast.clients.edge.carriers.carrier import RefusedError
from wearcast.clients.edge.carriers.grpc_carrier import GrpcSettings
from wearcast.signals.errors import InputError, UnreachableError
from wearcast.signals.estimate import Outlier


def carrier_to(address: str, **settings):
    return open_carrier(GrpcSettings(type="grpc", address=address, **settings))


def test_what_the_server_refuses_or_the_protocol_cannot_say(tiny_models, tmp_path):
    flags = ("--store", str(tmp_path / "central.sqlite"), "--max-message-bytes", "65536")
    with running_server(tiny_models, *flags) as server:
        carrier = carrier_to(server.address)
        carrier.send(rows_parcel(0))
        carrier.send(rows_parcel(0))
        with pytest.raises(RefusedError, match="key: expected 1 to 1000 printable"):
            carrier.send(replace(rows_parcel(1), key=""))
        # Just over the limit the server answers; far over it, gRPC itself.
        for minutes in (1440, 50_000):
            rows = tuple(row(minute) for minute in range(minutes))
            with pytest.raises(RefusedError, match="message"):
                carrier.send(replace(rows_parcel(1), rows=rows))
        (estimate, _) = forecasts_parcel().forecasts
        strange = [
            replace(rows_parcel(1), first_us=-(10**18)),
            replace(rows_parcel(1), expected=-1),
            replace(forecasts_parcel(), forecasts=(with_answer(estimate, Outlier(())),)),
        ]
        for parcel in strange:
            with pytest.raises(RefusedError):
                carrier.send(parcel)
        carrier.send(rows_parcel(1))
        carrier.close()


def with_answer(estimate, answer):
    return type(estimate)(estimate.sequence, estimate.window_end_us, (), answer, estimate.model)


def test_a_server_without_a_file_is_waited_for(tiny_server):
    carrier = carrier_to(tiny_server.address)
    with pytest.raises(UnreachableError, match="store: expected a file to keep parcels in"):
        carrier.send(rows_parcel(0))
    carrier.close()


def test_no_server_is_waited_for_and_found_again(tiny_models, tmp_path, own_address):
    flags = ("--store", str(tmp_path / "central.sqlite"))
    carrier = carrier_to(own_address)
    with running_server(tiny_models, *flags, listen=own_address):
        carrier.send(rows_parcel(0))
    with pytest.raises(UnreachableError, match=f"server {own_address}: "):
        carrier.send(rows_parcel(1))
    with running_server(tiny_models, *flags, listen=own_address):
        carrier.send(rows_parcel(1))
    carrier.close()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl for a certificate")
def test_tls(tiny_models, tmp_path):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext"
    paths = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(
        [*shlex.split(command), "subjectAltName=DNS:localhost,IP:127.0.0.1", *paths],
        check=True,
        capture_output=True,
    )
    tls = ("--tls-cert", str(certificate), "--tls-key", str(key))
    flags = ("--store", str(tmp_path / "central.sqlite"), *tls)
    with running_server(tiny_models, *flags) as server:
        carrier = carrier_to(server.address, tls_ca=certificate)
        carrier.send(rows_parcel(0))
        carrier.close()
        plain = carrier_to(server.address)
        with pytest.raises(UnreachableError):
            plain.send(rows_parcel(1))
        plain.close()


def test_an_unreadable_certificate_authority_is_named(tmp_path):
    with pytest.raises(InputError, match=r"delivery\.tls_ca: expected a readable file"):
        carrier_to("localhost:1", tls_ca=tmp_path / "gone")


@pytest.mark.parametrize("address", ["host", ":1", "host:", "host:0", "host:99999"])
def test_an_address_that_cannot_be_is_refused(address):
    with pytest.raises(ValidationError, match="expected HOST:PORT"):
        GrpcSettings(type="grpc", address=address)

"""Parcels by HTTP, to a real server that answers as it is told to."""

import csv
import io
import json
import shlex
import shutil
import ssl
import subprocess
from email.utils import formatdate
from time import time

import pytest
from msgspec.structs import replace
from parcels import alerts_parcel, forecasts_parcel, rows_parcel
from pydantic import ValidationError
from receiver import receiving

from wearcast.clients.edge.carriers import open_carrier
from wearcast.clients.edge.carriers.carrier import PostponedError, RefusedError
from wearcast.clients.edge.carriers.http_carrier import HttpSettings
from wearcast.signals.errors import InputError, UnreachableError


def post(url: str, parcel=None, **settings) -> None:
    open_carrier(HttpSettings(type="http", url=url, **settings)).send(parcel or rows_parcel(0))


def table(body: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(body.decode())))


@pytest.mark.parametrize("form", ["json", "csv"])
def test_headers_say_what_the_parcel_is(form):
    with receiving(201) as receiver:
        post(receiver.url, format=form)
        got = receiver.next_post()
    assert got.path == "/parcels"
    content_type = {"json": "application/json", "csv": "text/csv; charset=utf-8"}[form]
    wanted = {
        "Content-Type": content_type,
        "Idempotency-Key": "plant/rows/0",
        "Wearcast-Asset": "plant",
        "Wearcast-Kind": "ROWS",
        "Wearcast-First": "2024-05-01T00:00:00.000000Z",
        "Wearcast-End": "2024-05-01T00:10:00.000000Z",
        "Wearcast-Created": "2024-05-01T00:11:00.000000Z",
        "Wearcast-Expected": "10",
        "Wearcast-Complete": "false",
    }
    assert {name: got.headers[name] for name in wanted} == wanted


def test_names_beyond_ascii_are_percent_encoded_in_headers():
    with receiving() as receiver:
        post(receiver.url, replace(rows_parcel(0), key="정수장 1/100%", asset="정수장 1"))
        got = receiver.next_post()
    assert got.headers["Idempotency-Key"] == "%EC%A0%95%EC%88%98%EC%9E%A5%201/100%25"
    assert got.headers["Wearcast-Asset"] == "%EC%A0%95%EC%88%98%EC%9E%A5%201"
    assert json.loads(got.body)["key"] == "정수장 1/100%"


def test_rows_as_json():
    with receiving() as receiver:
        post(receiver.url)
        content = json.loads(receiver.next_post().body)
    rows = content.pop("rows")
    assert content == {
        "key": "plant/rows/0",
        "asset": "plant",
        "kind": "ROWS",
        "first": "2024-05-01T00:00:00.000000Z",
        "end": "2024-05-01T00:10:00.000000Z",
        "created": "2024-05-01T00:11:00.000000Z",
        "expected": 10,
        "complete": False,
        "units": {"flow_rate": "m3/h", "pressure": "bar"},
        "forecasts": [],
        "alerts": [],
    }
    assert len(rows) == 10
    assert rows[3] == {
        "time": "2024-05-01T00:03:00.000000Z",
        "flow_rate": 43.0,
        "pressure": None,
        "flow_rate_predict": None,
        "pressure_predict": 5.0,
        "flow_rate_actual_stage": 3,
        "all_multivariate_stage": None,
        "quality": ["MISSING"],
    }


def test_rows_as_csv():
    with receiving() as receiver:
        post(receiver.url, format="csv")
        lines = table(receiver.next_post().body)
    assert lines[0] == [
        "time", "flow_rate", "pressure", "flow_rate_predict", "pressure_predict",
        "flow_rate_actual_stage", "all_multivariate_stage", "quality",
    ]  # fmt: skip
    assert len(lines) == 11
    assert lines[3] == ["2024-05-01T00:02:00.000000Z", "42.0", "5.25", "", "5.0", "2", "-1", ""]
    assert lines[4] == ["2024-05-01T00:03:00.000000Z", "43.0", "", "", "5.0", "3", "", "MISSING"]


def test_forecasts_as_csv_have_the_names_of_json():
    with receiving() as receiver:
        post(receiver.url, forecasts_parcel(), format="csv")
        lines = table(receiver.next_post().body)
        post(receiver.url, forecasts_parcel())
        (first, *_) = objects = json.loads(receiver.next_post().body)["forecasts"]
    assert lines[0] == list(first)
    assert lines[1] == [
        "flow", "2024-05-01T00:00:00.000000Z", "flow_rate", "m3/h", "3600.0",
        "2024-05-01T01:00:00.000000Z", "0.1", "38.5",
    ]  # fmt: skip
    assert [line[-1] for line in lines[1:]] == [str(item["value"]) for item in objects]


def test_alerts_as_csv_have_the_names_of_json():
    with receiving() as receiver:
        post(receiver.url, alerts_parcel(), format="csv")
        lines = table(receiver.next_post().body)
        post(receiver.url, alerts_parcel())
        objects = json.loads(receiver.next_post().body)["alerts"]
    assert lines[0] == list(objects[0])
    assert lines[2] == [
        "plant/2", "DE_ESCALATED", "2024-05-01T00:00:00.000001Z", "system", "", "", "1", "4", "",
        "MISSING", "flow-outlier", "MISSING GARBLED",
    ]  # fmt: skip
    assert objects[1]["quality"] == ["MISSING", "GARBLED"]
    assert objects[1]["value"] is None


@pytest.mark.parametrize("form", ["json", "csv"])
def test_a_parcel_without_rows_says_so(form):
    with receiving() as receiver:
        post(receiver.url, replace(rows_parcel(0), rows=()), format=form)
        body = receiver.next_post().body
    assert json.loads(body)["rows"] == [] if form == "json" else len(table(body)) == 1


def test_several_kinds_of_content_do_not_fit_into_one_csv():
    mixed = replace(rows_parcel(0), alerts=alerts_parcel().alerts)
    with (
        receiving() as receiver,
        pytest.raises(RefusedError, match=r"one kind of content.* got rows and alerts"),
    ):
        post(receiver.url, mixed, format="csv")
    with receiving() as receiver:
        post(receiver.url, mixed)
        assert len(json.loads(receiver.next_post().body)["alerts"]) == 2


@pytest.mark.parametrize("status", [400, 410, 413, 415, 422])
def test_what_is_about_the_parcel_is_refused(status):
    with (
        receiving(status) as receiver,
        pytest.raises(RefusedError, match=f"answered {status} .*: the receiver's words"),
    ):
        post(receiver.url)


@pytest.mark.parametrize("status", [301, 302, 307, 401, 403, 404, 408, 409, 425, 429, 500, 503])
def test_what_may_pass_is_not(status):
    answer = (status, {"Location": "/elsewhere"}) if status < 400 else status
    with (
        receiving(answer) as receiver,
        pytest.raises(UnreachableError, match=f"{receiver.url}: answered {status} "),
    ):
        post(receiver.url)
    receiver.next_post()
    assert receiver.posts.empty()  # it was not followed elsewhere


def test_no_answer_is_no_acknowledgement():
    with (
        receiving("cut") as receiver,
        pytest.raises(UnreachableError, match="closed connection without response"),
    ):
        post(receiver.url)
    with pytest.raises(UnreachableError, match="refused"):
        post("http://127.0.0.1:1/")


def test_a_query_is_kept_out_of_texts():
    with receiving(500) as receiver, pytest.raises(UnreachableError) as raised:
        post(f"{receiver.url}?secret=7")
    assert receiver.next_post().path == "/parcels?secret=7"
    assert "secret" not in str(raised.value)


def test_retry_after_in_seconds_or_as_a_date():
    for value, least, most in [
        ("120", 120, 120),
        (formatdate(time() + 500, usegmt=True), 260, 501),
        (formatdate(time() - 500), 0, 0),
    ]:
        with (
            receiving((503, {"Retry-After": value})) as receiver,
            pytest.raises(PostponedError) as raised,
        ):
            post(receiver.url)
        assert least <= raised.value.after_s <= most


def test_a_retry_after_that_says_nothing_is_as_none():
    for value in ("soon", "", "-5"):
        with (
            receiving((429, {"Retry-After": value})) as receiver,
            pytest.raises(UnreachableError) as raised,
        ):
            post(receiver.url)
        assert type(raised.value) is UnreachableError


def test_the_token_is_read_anew_each_time(tmp_path):
    token = tmp_path / "token"
    with receiving() as receiver:
        settings = HttpSettings(type="http", url=receiver.url, token_file=token)
        carrier = open_carrier(settings)
        with pytest.raises(UnreachableError, match=r"delivery\.token_file: .* No such file"):
            carrier.send(rows_parcel(0))
        for text in ("first", "second"):
            token.write_text(f"{text}\n")
            carrier.send(rows_parcel(0))
            assert receiver.next_post().headers["Authorization"] == f"Bearer {text}"
        token.write_text("two\nlines")
        with pytest.raises(UnreachableError, match="expected one line"):
            carrier.send(rows_parcel(0))


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl for a certificate")
def test_tls_is_checked(tmp_path):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext"
    paths = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(
        [*shlex.split(command), "subjectAltName=DNS:localhost", *paths],
        check=True,
        capture_output=True,
    )
    with receiving() as receiver:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server = receiver.server
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
        url = f"https://localhost:{server.server_port}/"
        post(url, tls_ca=certificate)
        assert receiver.next_post().path == "/"
        server.handle_error = lambda *_: None  # it would print that the handshake failed
        with pytest.raises(UnreachableError, match="CERTIFICATE_VERIFY_FAILED"):
            post(url)
    assert receiver.posts.empty()


def test_an_unreadable_certificate_authority_is_named(tmp_path):
    with pytest.raises(InputError, match=r"delivery\.tls_ca: expected a readable file in PEM"):
        post("https://localhost", tls_ca=tmp_path / "gone")
    (tmp_path / "text").write_text("no PEM")
    with pytest.raises(InputError, match=r"delivery\.tls_ca: expected a readable file in PEM"):
        post("https://localhost", tls_ca=tmp_path / "text")


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"url": "ftp://a/b"}, "expected http://HOST"),
        ({"url": "https:///b"}, "expected http://HOST"),
        ({"url": "https://a:99999/"}, "Port out of range"),
        ({"url": "https://me:pass@a/"}, "no user or password"),
        ({"url": "http://a/", "token_file": "token"}, "token_file: expected an https url"),
        ({"url": "http://a/", "format": "xml"}, "'json' or 'csv'"),
        ({"url": "http://a/", "timeout_s": 0}, "greater than 0"),
        ({"url": "http://a/", "retries": 3}, "Extra inputs are not permitted"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, text):
    with pytest.raises(ValidationError, match=text):
        HttpSettings(type="http", **settings)

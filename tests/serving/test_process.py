"""The server as a process: where it listens, what it says about itself, and when it won't start."""

import json
import os
import re
import shutil
import sqlite3
import subprocess
from pathlib import Path

import grpc
import pytest
from grpc import StatusCode
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from oracle import naive_estimates
from running import refuse_flags, running_server, serve_command
from tiny import tiny_contract, wearing_block, write_tiny_model
from waiting import LONG_S
from wire import OpenStream, estimates_of

from wearcast.clients.cli import serve
from wearcast.serving.settings import Settings, load_settings
from wearcast.signals.contract import Contract
from wearcast.v1 import machine_health_pb2 as pb
from wearcast.v1 import model_pb2
from wearcast.v1.machine_health_pb2_grpc import MachineHealthServiceStub

SERVICE = "wearcast.v1.MachineHealthService"
ROOT = Path(__file__).parents[2]
INGEST_SERVICE = "wearcast.v1.IngestService"


def start_and_fail(*flags, models_dir, environment=None):
    done = subprocess.run(
        serve_command(models_dir, *flags),
        check=False,
        capture_output=True,
        text=True,
        timeout=LONG_S,
        env=os.environ | (environment or {}),
    )
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr


@pytest.mark.parametrize("service", ["", SERVICE, INGEST_SERVICE, "inference.GRPCInferenceService"])
def test_health(channel, service):
    stub = health_pb2_grpc.HealthStub(channel)
    answer = stub.Check(health_pb2.HealthCheckRequest(service=service))
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_health_of_an_unknown_service(channel):
    with pytest.raises(grpc.RpcError) as raised:
        health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service="gone"))
    assert raised.value.code() == StatusCode.NOT_FOUND


def test_reflection(channel):
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    (answer,) = stub.ServerReflectionInfo(iter([request]))
    names = {service.name for service in answer.list_services_response.service}
    assert names == {
        SERVICE,
        INGEST_SERVICE,
        "inference.GRPCInferenceService",
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
    }


def test_list_models(tmp_path):
    for version in (1, 2):
        write_tiny_model(tmp_path, tiny_contract(version=version))
    with running_server(tmp_path) as server, grpc.insecure_channel(server.address) as channel:
        stub = MachineHealthServiceStub(channel)
        models = stub.ListModels(pb.ListModelsRequest()).models
        assert [(model.name, model.version) for model in models] == [("tiny", 1), ("tiny", 2)]
        newest = stub.GetModel(pb.GetModelRequest(name="tiny")).model
        assert newest == models[1]
        assert newest == model_pb2.Model(
            name="tiny",
            version=2,
            kind=model_pb2.MODEL_KIND_RUL,
            channels=[
                model_pb2.Channel(name="h", unit="g"),
                model_pb2.Channel(name="v", unit="g"),
            ],
            sample_rate_hz=25600.0,
            window=64,
            hop_s=10.0,
            sequence=3,
            batch_sizes=[1, 4],
            outputs=[model_pb2.Output(name="life_fraction", unit="1")],
            contract_json=newest.contract_json,
        )
        assert Contract.from_json(newest.contract_json) == tiny_contract(version=2)


def test_first_line_for_people(tiny_models):
    command = serve_command(tiny_models, "--listen", "127.0.0.1:0")
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        line = server.stdout.readline()
        server.terminate()
    assert re.fullmatch(r"wearcast serves tiny/1 on 127\.0\.0\.1:[1-9][0-9]+\n", line)
    assert server.returncode == 0


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        (("--listen", "0.0.0.0:0"), "listen: expected a loopback address, or TLS, or insecure"),
        (("--listen", "localhost"), "listen: expected HOST:PORT, got 'localhost'"),
        (("--listen", "localhost:65536"), "listen: expected HOST:PORT"),
        (("--tls-cert", "cert.pem"), "tls_cert, tls_key: expected both or neither, got one"),
        (("--workers", "0"), "workers: Input should be greater than or equal to 1, got 0"),
        (("--traces-endpoint", "localhost:4317"), "traces_endpoint: expected http:// or https://"),
        (("--waiting", "-1"), "waiting: Input should be greater than or equal to 0, got -1"),
        (("--watch-s", "-1"), "watch_s: Input should be greater than or equal to 0, got -1.0"),
    ],
)
def test_usage_errors(tiny_models, flags, text):
    assert text in refuse_flags(tiny_models, *flags)


def test_a_usage_error_ends_the_process(tiny_models):
    code, errors = start_and_fail("--listen", "localhost", models_dir=tiny_models)
    assert code == 2
    assert "listen: expected HOST:PORT, got 'localhost'" in errors


def test_insecure_allows_other_addresses(tiny_models):
    with (
        running_server(tiny_models, "--insecure", listen="0.0.0.0:0") as server,
        grpc.insecure_channel(server.address.replace("0.0.0.0", "127.0.0.1")) as channel,
    ):
        models = MachineHealthServiceStub(channel).ListModels(pb.ListModelsRequest()).models
        assert [model.name for model in models] == ["tiny"]


def test_port_in_use(tiny_models, tiny_server):
    code, errors = start_and_fail("--listen", tiny_server.address, models_dir=tiny_models)
    assert code == 3
    assert f"listen: expected an address to listen on, got {tiny_server.address}" in errors


def test_store_is_no_database(tiny_models, tmp_path):
    (tmp_path / "store").write_text("no database " * 1000)
    code, errors = start_and_fail(
        "--listen", "127.0.0.1:0", "--store", str(tmp_path / "store"), models_dir=tiny_models
    )
    assert code == 3
    assert "store: expected an SQLite file of wearcast, got" in errors


def test_second_server_on_a_store_is_refused(tiny_models, tmp_path):
    store, link = tmp_path / "store.sqlite", tmp_path / "link.sqlite"
    link.symlink_to(store)
    flags = ("--listen", "127.0.0.1:0", "--store")
    expected = f"store: expected a store that no other service keeps, got {store}: one runs on it"
    with running_server(tiny_models, "--store", str(store)) as server:
        for path in (store, link):
            code, errors = start_and_fail(*flags, str(path), models_dir=tiny_models)
            assert (code, errors) == (3, f"wearcast: {expected}\n")
        with sqlite3.connect(store) as connection:  # who only reads is not kept out
            assert connection.execute("SELECT count(*) FROM estimates").fetchone() == (0,)
        connection.close()
        server.kill()  # the lock ends with whoever holds it
        with running_server(tiny_models, "--store", str(link)) as again:
            assert again.terminate() == 0


def test_store_in_a_folder_that_is_not_there(tiny_models, tmp_path):
    path = tmp_path / "gone" / "store.sqlite"
    flags = ("--listen", "127.0.0.1:0", "--store", str(path))
    code, errors = start_and_fail(*flags, models_dir=tiny_models)
    expected = f"store: expected a file in a folder that is there, got {path}"
    assert (code, errors) == (3, f"wearcast: {expected}\n")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl for a certificate")
def test_tls(tiny_models, tmp_path):
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=DNS:localhost"]
    files = ["-keyout", str(key), "-out", str(cert)]
    subprocess.run([*command.split(), *names, *files], check=True, capture_output=True)
    flags = ("--tls-cert", str(cert), "--tls-key", str(key))
    with running_server(tiny_models, *flags, listen="0.0.0.0:0") as server:
        port = server.address.rpartition(":")[2]
        credentials = grpc.ssl_channel_credentials(cert.read_bytes())
        with grpc.secure_channel(f"localhost:{port}", credentials) as channel:
            stream = OpenStream(channel, "Predict")
            stream.send(*(wearing_block(number, 9) for number in range(4)))
            assert len(estimates_of(stream.finish())) == 2
        with grpc.insecure_channel(f"localhost:{port}") as channel:
            with pytest.raises(grpc.RpcError) as raised:
                MachineHealthServiceStub(channel).ListModels(pb.ListModelsRequest())
            assert raised.value.code() == StatusCode.UNAVAILABLE
    code, errors = start_and_fail(
        "--tls-cert", "gone.pem", "--tls-key", "gone.pem", models_dir=tiny_models
    )
    assert code == 3
    assert "tls_cert: expected a readable file, got gone.pem: No such file" in errors


def test_flag_over_environment_over_file(tmp_path, monkeypatch):
    config = tmp_path / "wearcast.toml"
    config.write_text('listen = "127.0.0.1:1"\nworkers = 3\nwaiting = 5\n')
    monkeypatch.setenv("WEARCAST_LISTEN", "127.0.0.1:2")
    monkeypatch.setenv("WEARCAST_WORKERS", "4")
    settings = load_settings(config, {"listen": "127.0.0.1:3", "workers": None})
    assert (settings.listen, settings.workers, settings.waiting) == ("127.0.0.1:3", 4, 5)
    assert load_settings(None, {}).listen == "127.0.0.1:2"


def test_every_setting_is_a_flag_and_in_the_docs():
    flags = {option.name for option in serve.command.params}
    docs = "".join((ROOT / "docs" / name).read_text() for name in ("operations.md", "security.md"))
    for name in Settings.model_fields:
        assert name in flags
        assert re.search(rf"^\| [^|]*`{name}`", docs, re.MULTILINE), name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("colour = 1", "colour: Extra inputs are not permitted, got 1"),
        ("workers = 'many'", "workers: Input should be a valid integer"),
        ("workers = ", "Invalid value"),
    ],
)
def test_bad_settings_file(tmp_path, text, message):
    config = tmp_path / "wearcast.toml"
    config.write_text(text)
    with pytest.raises(ValueError, match=message):
        load_settings(config, {})


def test_unexpected_error_has_an_id(tiny_models, tmp_path):
    """Somebody wrote nonsense into the table: the client gets an id, the log has the rest."""
    store, log = tmp_path / "estimates.sqlite", tmp_path / "log"
    with (
        running_server(tiny_models, "--store", str(store), log=log) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        stream = OpenStream(channel, "Monitor", asset="pump").open()
        stream.send(*(wearing_block(number, 9) for number in range(4)))
        assert len(estimates_of(stream.finish())) == 2
        connection = sqlite3.connect(store)
        with connection:
            connection.execute("UPDATE estimates SET estimate = 'secret nonsense'")
        _, got = OpenStream(channel, "Monitor", asset="pump").fail()
        assert got.code == StatusCode.INTERNAL
        identity = re.fullmatch(
            r"internal error ([0-9a-f]{16}); the server's log has it under this id", got.text
        )[1]
        assert f"error {identity}" in log.read_text()
        with connection:
            connection.execute("DROP TABLE estimates")
        connection.close()
        _, got = OpenStream(channel, "Monitor", asset="pump").fail()
        assert (got.code, got.reason) == (StatusCode.UNAVAILABLE, "STORE")
        assert got.text == "store: no such table: estimates"


def test_stored_rows_survive_a_restart(tiny_models, tmp_path):
    store = tmp_path / "estimates.sqlite"
    blocks = [wearing_block(number, 41.3) for number in range(20)]
    answers = []
    for received in (None, 19):
        with (
            running_server(tiny_models, "--store", str(store), "--json") as server,
            grpc.insecure_channel(server.address) as channel,
        ):
            stream = OpenStream(channel, "Monitor", asset="pump").open()
            if received is None:
                stream.send(*blocks)
            else:
                assert stream.started.acknowledged_sequence == received
            answers.append(estimates_of(stream.finish()))
            assert server.terminate() == 0
    assert answers[0] == answers[1]
    assert len(answers[0]) == len(naive_estimates(blocks))
    connection = sqlite3.connect(store)
    texts = [text for (text,) in connection.execute("SELECT estimate FROM estimates")]
    connection.close()
    assert [json.loads(text)["sequence"] for text in texts] == list(range(2, 20))

"""`wearcast top` beside a real server."""

import grpc
import pytest
from program import run
from running import running_server
from tiny import tiny_contract, wearing_block, write_tiny_model
from wire import OpenStream

from wearcast.clients.client import Client
from wearcast.clients.scrape import Sample, Scrape

METRICS = ("--metrics-listen", "127.0.0.1:0")


def test_one_view(tmp_path):
    write_tiny_model(tmp_path)
    write_tiny_model(tmp_path, tiny_contract(version=2))
    (tmp_path / "tiny" / "2" / "golden.json").write_text("{}")
    with (
        running_server(tmp_path, *METRICS) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        Client(server.address).models()
        stream = OpenStream(channel, "Monitor", asset="pump [7]")
        stream.send(*[wearing_block(number, 41.3) for number in range(30)])
        stream.responses_until(29)
        done = run("top", "--metrics", server.metrics, "--every", "0.1s")
        stream.finish()
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["tiny/1", "ready"] in [line[:2] for line in lines]
    assert ["tiny/2", "unavailable"] in lines
    assert ["streams:", "Monitor", "1"] in lines
    (asset,) = [line for line in lines if line[:2] == ["pump", "[7]"]]
    assert asset[2] == "tiny/1"
    assert "left," in asset


def test_without_a_server_it_says_so():
    done = run("top", "--metrics", "127.0.0.1:1", "--once")
    assert done.returncode == 4
    assert "metrics 127.0.0.1:1: " in done.stderr
    assert "is there a server with --metrics-listen?" in done.stderr


def test_what_is_no_metrics_is_refused(tiny_server):
    done = run("top", "--metrics", tiny_server.address, "--once")
    assert done.returncode == 4
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("then", "now", "rise"), [(5, 7, 2), (5, 3, 3), (None, 4, 4)])
def test_a_counter_that_began_anew_has_grown_from_zero(then, now, rise):
    def at(value):
        samples = () if value is None else (Sample("n_total", {"a": "b"}, value),)
        return Scrape(samples, 0.0, 0.0)

    assert at(now).rise(at(then), "n_total", a="b") == rise
    assert at(now).rise(at(then), "n_total", a="c") == 0

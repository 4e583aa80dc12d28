"""The files under deploy/ name what there is: metrics, settings, ports, files."""

import json
import re
import urllib.request
from pathlib import Path

import grpc
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from running import running_server
from scraping import METRICS
from tiny import wearing_block
from wire import OpenStream

from wearcast.serving.settings import Settings

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "deploy"
# Of Prometheus itself, and words of PromQL that look like metrics.
GIVEN = {"up"}
METRIC = re.compile(r"\b(?:wearcast|process)_[a-z_]+\b")


def read_yaml(name):
    return yaml.safe_load((DEPLOY / name).read_text())


@pytest.fixture(scope="module")
def metrics(tiny_models):
    """Names of all samples that a server can show, told by its HELP and TYPE lines too."""
    with (
        running_server(tiny_models, *METRICS) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        stream = OpenStream(channel, "Monitor", asset="pump")
        stream.send(*[wearing_block(number, 41.3) for number in range(5)])
        stream.responses_until(4)
        with urllib.request.urlopen(f"http://{server.metrics}/metrics") as response:
            text = response.read().decode()
        stream.finish()
    ends = {
        "counter": ("_total",),
        "gauge": ("",),
        "summary": ("_count", "_sum"),
        "histogram": ("_count", "_sum", "_bucket"),
    }
    return {
        family.name + end
        for family in text_string_to_metric_families(text)
        for end in ends[family.type]
    }


def expressions():
    rules = [rule for group in read_yaml("alerts.yaml")["groups"] for rule in group["rules"]]
    yield from ((rule["alert"], rule["expr"]) for rule in rules)
    for panel in json.loads((DEPLOY / "dashboard.json").read_text())["panels"]:
        yield from ((panel["title"], target["expr"]) for target in panel["targets"])


def test_every_metric_that_is_named_is_in_a_scrape(metrics):
    named = {}
    for where, expression in expressions():
        found = set(METRIC.findall(expression)) | (GIVEN & set(re.findall(r"\w+", expression)))
        assert found, where
        named |= dict.fromkeys(found - GIVEN, where)
    assert {name: where for name, where in named.items() if name not in metrics} == {}
    assert len(named) > 15


def test_the_page_names_every_metric(metrics):
    page = (ROOT / "docs/operations.md").read_text()
    families = {re.sub(r"_(total|count|sum|bucket)$", "", name) for name in metrics}
    named = {
        re.sub(r"_total$", "", name) for name in re.findall(r"`((?:wearcast|process)_\w+)`", page)
    }
    ours = {name for name in families if name.startswith("wearcast_")}
    assert ours - named == set()
    assert named - families == set()


def test_alerts_are_rules_of_prometheus():
    rules = [rule for group in read_yaml("alerts.yaml")["groups"] for rule in group["rules"]]
    assert len({rule["alert"] for rule in rules}) == len(rules) > 8
    page = (ROOT / "docs/operations.md").read_text()
    for rule in rules:
        assert rule.keys() <= {"alert", "expr", "for", "labels", "annotations"}
        assert rule["labels"]["severity"] in {"info", "warning", "critical"}
        assert rule["annotations"]["summary"]
        assert re.fullmatch(r"\d+[smhd]", rule.get("for", "1m"))
        assert f"`{rule['alert']}`" in page


def test_panels_do_not_overlap():
    board = json.loads((DEPLOY / "dashboard.json").read_text())
    taken = set()
    for panel in board["panels"]:
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


def variables():
    """Environment variables of ours, by the file that sets them."""
    text = (DEPLOY / "Dockerfile").read_text()
    yield from (("Dockerfile", *pair) for pair in re.findall(r"(WEARCAST_\w+)=(\S+)", text))
    compose = read_yaml("compose.yaml")["services"]["wearcast"]["environment"]
    yield from (("compose.yaml", *pair) for pair in compose.items())
    (container,) = read_yaml("kserve-servingruntime.yaml")["spec"]["containers"]
    yield from (("kserve", item["name"], item["value"]) for item in container["env"])


def test_variables_are_settings(monkeypatch):
    for _, name, value in variables():
        assert name.removeprefix("WEARCAST_").lower() in Settings.model_fields, name
        monkeypatch.setenv(name, value)
    Settings()


def test_ports_and_files_are_those_that_are_served():
    image = dict(re.findall(r"(WEARCAST_\w+)=(\S+)", (DEPLOY / "Dockerfile").read_text()))
    port, metrics = (
        image[f"WEARCAST_{name}"].rpartition(":")[2] for name in ("LISTEN", "METRICS_LISTEN")
    )
    assert f"EXPOSE {port} {metrics}" in (DEPLOY / "Dockerfile").read_text()
    services = read_yaml("compose.yaml")["services"]
    assert services["wearcast"]["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert (DEPLOY / services["wearcast"]["build"]["context"]).resolve() == ROOT
    assert (ROOT / services["wearcast"]["build"]["dockerfile"]).is_file()
    for volume in services["prometheus"]["volumes"]:
        assert (DEPLOY / volume.split(":")[0]).is_file()
    prometheus = read_yaml("prometheus.yaml")
    (job,) = prometheus["scrape_configs"]
    assert job["static_configs"] == [{"targets": [f"wearcast:{metrics}"]}]
    grace_s = int(services["wearcast"]["stop_grace_period"].removesuffix("s"))
    assert grace_s > Settings.model_fields["drain_s"].default
    runtime = read_yaml("kserve-servingruntime.yaml")["spec"]
    (container,) = runtime["containers"]
    served = {item["name"]: item["value"] for item in container["env"]}
    listen = int(served["WEARCAST_LISTEN"].rpartition(":")[2])
    assert [item["containerPort"] for item in container["ports"]] == [listen]
    assert container["readinessProbe"]["grpc"]["port"] == listen
    assert runtime["annotations"]["prometheus.kserve.io/port"] == metrics

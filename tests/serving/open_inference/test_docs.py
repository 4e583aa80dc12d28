"""docs/open-inference.md says what there is."""

import re
from pathlib import Path

from wearcast.inference import open_inference_pb2 as pb

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/open-inference.md").read_text()


def test_every_method_is_in_a_table() -> None:
    methods = pb.DESCRIPTOR.services_by_name["GRPCInferenceService"].methods_by_name
    assert set(methods) - set(re.findall(r"^\| ([A-Za-z]+) \|", PAGE, re.MULTILINE)) == set()


def test_every_reason_is_in_the_table_of_errors() -> None:
    sources = (ROOT / "serving/open_inference").glob("*.py")
    sent = set(re.findall(r'reason ?= ?"([A-Z_]+)"', "".join(path.read_text() for path in sources)))
    assert len(sent) > 10
    assert sent - set(re.findall(r"\| ([A-Z_]+) \|$", PAGE, re.MULTILINE)) == set()

import re
import tomllib
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from wearcast.clients.edge.sources import SourceSettings, open_source

PAGE = Path(__file__).parents[4] / "docs/sources.md"
EXAMPLES = re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)
SETTINGS: TypeAdapter[SourceSettings] = TypeAdapter(SourceSettings)


def test_the_page_has_an_example_of_each_type():
    types = {source["type"] for text in EXAMPLES for source in tomllib.loads(text)["sources"]}
    assert types == {"csv", "stdin", "serial", "mqtt", "opcua"}


@pytest.mark.parametrize("text", EXAMPLES, ids=range(len(EXAMPLES)))
def test_each_example_of_the_page_is_a_source(text: str):
    (given,) = tomllib.loads(text)["sources"]
    source = open_source(SETTINGS.validate_python(given), ("flow_rate", "pressure"), lambda: 0)
    assert (source.name, source.problem, source.ended) == (given["type"], "", False)
    assert not source.caught_up


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"type": "modbus"}, "does not match any of the expected tags"),
        ({"type": "stdin", "port": 1}, "Extra inputs are not permitted"),
    ],
)
def test_what_is_no_source_is_refused(given: dict[str, object], message: str):
    with pytest.raises(ValidationError, match=message):
        SETTINGS.validate_python(given)

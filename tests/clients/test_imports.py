import subprocess
import sys

import pytest
from click.testing import CliRunner

from wearcast.clients.cli.main import VERBS, program

HEAVY = ("torch", "pandas", "matplotlib", "rich", "onnxruntime", "onnx", "click", "pydantic")


def test_importing_the_client_loads_nothing_heavy() -> None:
    code = f"import sys, wearcast.clients; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("verb", VERBS)
def test_help_starts_with_an_example(verb: str) -> None:
    done = CliRunner().invoke(program, [verb, "--help"], prog_name="wearcast")
    assert done.exit_code == 0
    usage, _, text = done.stdout.partition("\n\n")
    assert usage.startswith(f"Usage: wearcast {verb}")
    example, options = text.find("Example"), text.find("Options:")
    assert 0 < example < options or "Commands:" in text
    assert f"wearcast {verb}" in text[example:]

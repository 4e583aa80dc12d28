"""docs/streaming.md says what the server really answers."""

import re
from pathlib import Path

from wearcast.signals.errors import BusyError, NotFoundError, ReplacedError

ROOT = Path(__file__).parents[2]
# What these refuse keeps the server from starting, so no client hears of it.
AT_START = {"folder.py", "session.py", "halves.py"}


def test_every_reason_is_in_the_table_of_errors():
    sources = [path for path in (ROOT / "serving").glob("*.py") if path.name not in AT_START]
    sources.append(ROOT / "src/wearcast/signals/series.py")
    text = "".join(path.read_text() for path in sources)
    sent = set(re.findall(r'reason ?= ?"([A-Z_]+)"', text))
    sent |= {error.reason for error in (BusyError, NotFoundError, ReplacedError)}
    assert len(sent) > 15
    page = (ROOT / "docs/streaming.md").read_text()
    table = page[page.index("\n## Errors") :]
    assert sent - set(re.findall(r"\| ([A-Z_]+)[ ;|]", table)) == set()

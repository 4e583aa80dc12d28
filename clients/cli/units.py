"""Units of systemd, with the paths of this installation: `--systemd` of the verbs that serve."""

import sys
from importlib.resources import files
from pathlib import Path


def format_unit(name: str, config: Path) -> str:
    """The unit wearcast-NAME.service for a file of settings; it runs in that file's folder."""
    template = files("wearcast").joinpath("systemd", f"wearcast-{name}.service").read_text()
    path = config.resolve()
    program = f"{_quote(sys.executable)} -m wearcast"
    return template.format(program=program, config=_quote(path), folder=_escape(path.parent))


def _escape(text: object) -> str:
    """With what systemd would take for a specifier doubled."""
    return str(text).replace("%", "%%")


def _quote(text: object) -> str:
    escaped = _escape(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"' if " " in escaped else escaped

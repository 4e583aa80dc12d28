"""`wearcast alarms`: what alarms an edge service has, and what a person does to them."""

import contextlib
import json
import time
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from wearcast.signals.alarm_rules import Tag
from wearcast.signals.alarm_state import AlarmsState, TagView
from wearcast.signals.alarms import Alarms
from wearcast.signals.clock import format_time
from wearcast.signals.duration import parse_duration
from wearcast.signals.errors import InputError, NotFoundError


@click.command()
@click.option(
    "--config", type=click.Path(dir_okay=False, path_type=Path), required=True, metavar="FILE",
    help="Settings of the edge service.",
)  # fmt: skip
@click.option("--acknowledge", "seen", multiple=True, metavar="TAG", help="A person has seen it.")
@click.option("--reset", "reset", multiple=True, metavar="TAG", help="End a latched alarm.")
@click.option(
    "--shelve", "shelved", multiple=True, metavar="TAG=DURATION", help="Be silent for so long."
)
@click.option("--unshelve", "unshelved", multiple=True, metavar="TAG", help="Be silent no longer.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    *,
    config: Path,
    seen: tuple[str, ...],
    reset: tuple[str, ...],
    shelved: tuple[str, ...],
    unshelved: tuple[str, ...],
    as_json: bool,
) -> None:
    """Show the alarms of an edge service, acknowledge them, or shelve them for a time.

    \b
    Examples:
      wearcast alarms --config edge.toml
      wearcast alarms --config edge.toml --acknowledge "flow_rate night"
      wearcast alarms --config edge.toml --shelve "all multivariate=2h"

    A TAG is a channel and a detector; `all` stands for all channels together. The service may be
    running or not: it does what it was asked for within a second of running.
    """
    from wearcast.clients.edge.commands import Command, ask  # noqa: PLC0415
    from wearcast.clients.edge.settings import load_edge_settings  # noqa: PLC0415
    from wearcast.clients.edge.store.opening import reopen_store  # noqa: PLC0415

    settings = load_edge_settings(config)
    with contextlib.closing(reopen_store(settings.store.path)) as store:
        alarms = Alarms(
            settings.asset,
            settings.alarms.default,
            settings.alarms.by_tag,
            state=store.get("alarms", AlarmsState),
        )
        known = {view.tag for view in alarms.tags()}
        now_us = time.time_ns() // 1000
        commands = [
            *(Command("acknowledge", *_find(text, known)) for text in seen),
            *(Command("reset", *_find(text, known)) for text in reset),
            *(Command("unshelve", *_find(text, known)) for text in unshelved),
        ]
        for text in shelved:
            tag, _, duration = text.partition("=")
            until_us = now_us + round(parse_duration(duration, "shelve") * 1e6)
            commands.append(Command("shelve", *_find(tag, known), until_us))
        for asked in commands:
            ask(store, asked)
    if commands:
        click.echo(f"asked the service: {len(commands)}", err=True)
    elif as_json:
        click.echo(json.dumps([_describe(view) for view in alarms.tags()]))
    else:
        _show(alarms)


def _find(text: str, known: set[Tag]) -> Tag:
    try:
        tag = Tag.parse(text)
    except InputError:
        tag = Tag("", text)
    if tag not in known:
        names = ", ".join(sorted(item.text for item in known)) or "none: nothing was judged yet"
        raise NotFoundError("tag", f"one of {names}", repr(text))
    return tag


def _describe(view: TagView) -> dict[str, object]:
    return {
        "tag": view.tag.text,
        "state": view.state,
        "stage": view.stage,
        "alarm_stage": view.alarm_stage,
        "since": None if view.since_us is None else format_time(view.since_us),
        "shelved_until": None if view.until_us is None else format_time(view.until_us),
        "raised": view.raised,
        "chattering": view.chattering,
    }


def _show(alarms: Alarms) -> None:
    table = Table(box=None)
    for name in ("alarm", "state", "stage", "since", "raised", ""):
        table.add_column(name)
    for view in alarms.tags():
        row = _describe(view)
        since = "" if view.since_us is None else str(row["since"])[:19] + "Z"
        notes = ["chatters"] if view.chattering else []
        if view.until_us:
            notes.append(f"shelved until {str(row['shelved_until'])[:19]}Z")
        stage = str(view.alarm_stage or "")
        table.add_row(view.tag.text, view.state, stage, since, str(view.raised), ", ".join(notes))
    Console(width=120).print(table)
    flood = "; more come than a person can follow (a flood)" if alarms.in_flood else ""
    click.echo(f"{alarms.active} active{flood}")

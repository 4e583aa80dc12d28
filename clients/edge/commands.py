"""What a person asks of a running edge service, by `wearcast alarms`, through its store."""

import logging
from typing import Literal

import msgspec

from wearcast.clients.edge.judging import Judge
from wearcast.clients.edge.store.edge_store import EdgeStore
from wearcast.signals.alarm_rules import Tag
from wearcast.signals.errors import InputError

_LOG = logging.getLogger(__name__)
Action = Literal["acknowledge", "reset", "shelve", "unshelve"]


class Command(msgspec.Struct, frozen=True):
    """What is to be done to one alarm; see `wearcast.signals.alarms.Alarms`.

    until_us: when shelving ends.
    """

    action: Action
    detector: str
    channel: str
    until_us: int = 0


def ask(store: EdgeStore, command: Command) -> None:
    """Leave a command for the service, from a process of its own."""
    store.ask(msgspec.to_builtins(command))


def obey(store: EdgeStore, judge: Judge | None, now_us: int) -> bool:
    """Do what was asked for; whether anything was. Called in a transaction."""
    asked = store.take_commands() if judge is not None else []
    if judge is None or not asked:
        return False
    for given in asked:
        command = msgspec.convert(given, Command)
        tag = Tag(command.detector, command.channel)
        try:
            match command.action:
                case "acknowledge":
                    judge.alarms.acknowledge(tag, now_us)
                case "reset":
                    judge.alarms.reset(tag, now_us)
                case "shelve":
                    judge.alarms.shelve(tag, command.until_us)
                case "unshelve":
                    judge.alarms.unshelve(tag)
        except InputError as error:
            _LOG.warning("%s: %s", command.action, error)
        else:
            _LOG.info("%s: %s", command.action, tag.text)
    judge.save_alarms()
    return True

"""`wearcast models`: what a server serves, with the whole contract of each model."""

import json
from typing import Any

import click
import msgspec

from wearcast.clients.cli import options
from wearcast.clients.client import Client


@click.command()
@options.server
@options.as_json
def command(*, client: Client, as_json: bool) -> None:
    """Show what a server serves, with the whole contract of each model.

    \b
    Example:
      wearcast models --server 127.0.0.1:8561
    """
    with client:
        contracts = [msgspec.to_builtins(contract) for contract in client.models()]
        labels = client.labels()
    for contract in contracts:
        contract["labels"] = labels.get((contract["name"], contract["version"]), [])
    if as_json:
        click.echo(json.dumps(contracts, indent=2))
        return
    for contract in contracts:
        click.echo(f"{contract.pop('name')} version {contract.pop('version')}")
        for field, value in contract.items():
            click.echo(f"  {field}: {_format_value(value)}")


def _format_value(value: Any) -> str:  # noqa: ANN401 - anything that stands in JSON
    if isinstance(value, dict):
        return "".join(f"\n    {name}: {_format_value(item)}" for name, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_format_item(item) for item in value)
    return str(value)


def _format_item(item: Any) -> str:  # noqa: ANN401
    if isinstance(item, dict) and "unit" in item:
        return f"{item['name']} ({item['unit']})"
    return str(item)

"""`wearcast token`: a new token, and the line by which a server knows it."""

import json

import click

from wearcast.clients.cli import options
from wearcast.serving.security.roles import ROLES, Role
from wearcast.serving.security.tokens import format_holder, make_token


@click.command()
@click.argument("name")
@click.option(
    "--role", "roles", multiple=True, required=True,
    type=click.Choice(ROLES),
    help="What it is for: asking models, sending parcels, loading models. May be given again.",
)  # fmt: skip
@options.as_json
def command(*, name: str, roles: tuple[Role, ...], as_json: bool) -> None:
    """Make a token for NAME, a client of a server.

    \b
    Example:
      wearcast token plant-7 --role ingest --role infer

    Prints the token, for the client's --token-file or WEARCAST_TOKEN, and a line for the file that
    the server's `tokens` names. The line holds a hash; the token is printed this once. To take it
    away, remove the line: the server looks each second.
    """
    token = make_token()
    line = format_holder(name, token, dict.fromkeys(roles))
    if as_json:
        click.echo(json.dumps({"name": name, "token": token, "line": line}))
        return
    click.echo(f"token: {token}")
    click.echo(f"line:  {line}")

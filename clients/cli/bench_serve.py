"""`wearcast bench serve`: how much a server answers, and how fast."""

import asyncio
import contextlib
import json
from typing import Any

import click

from wearcast.clients.cli import options
from wearcast.clients.client import Client
from wearcast.clients.load import Load, PredictCaller, UnaryCaller, make_request, press
from wearcast.signals.contract import Contract

_OPTIONS = [
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.max_receive_message_length", 64 * 2**20),
]


@click.command()
@options.server
@options.model
@options.version
@click.option(
    "--protocol", type=click.Choice(["open", "stream"]), default="open", show_default=True,
    help="Calls of the Open Inference Protocol, or a stream of blocks a caller.",
)  # fmt: skip
@click.option(
    "--callers", type=click.IntRange(min=1), default=8, show_default=True,
    help="Who ask at the same time, each again once it has its answer.",
)  # fmt: skip
@click.option(
    "--rows", type=click.IntRange(min=1), default=1, show_default=True,
    help="Windows in each request.",
)  # fmt: skip
@click.option(
    "--seconds", type=click.FloatRange(min=0.1), default=5.0, show_default=True,
    help="How long is measured, after half a second that does not count.",
)  # fmt: skip
@options.as_json
def serve(
    *,
    client: Client,
    model: str,
    version: int,
    label: str,
    protocol: str,
    callers: int,
    rows: int,
    seconds: float,
    as_json: bool,
) -> None:
    """Load a server with requests of noise, and show how many it answers and how fast.

    All callers share one connection. Nothing is stored. The program takes processor time too,
    which is shown: on the server's own machine that is missing there.

    \b
    Example:
      wearcast bench serve --model bearing-rul --callers 8
    """
    with client:
        contract = client.model(model, version, label)
    work = _press(client, contract, protocol, callers=callers, rows=rows, seconds=seconds)
    with asyncio.Runner(loop_factory=_find_loop_factory()) as runner:
        load = runner.run(work)
    figures = _summarize(load, rows)
    if as_json:
        click.echo(json.dumps(figures))
        return
    name = f"{contract.name}/{contract.version}"
    click.echo(f"{name}: {callers} callers, {rows} windows a request, {load.seconds:.1f} s")
    click.echo(f"requests/s  {figures['requests_per_s']:,.1f}")
    click.echo(f"windows/s   {figures['rows_per_s']:,.1f}")
    if figures["requests"]:
        shown = ", ".join(f"{name} {figures[f'{name}_ms']:.2f}" for name in ("p50", "p95", "p99"))
        click.echo(f"latency ms  {shown}")
    errors = ", ".join(f"{name} {count}" for name, count in sorted(load.errors.items()))
    click.echo(f"errors      {errors or 'none'}")
    click.echo(f"cpu of this program  {load.cpu_s / load.seconds:.0%} of a core")


async def _press(
    client: Client, contract: Contract, protocol: str, *, callers: int, rows: int, seconds: float
) -> Load:
    channel, metadata = client.access.open_async_channel(_OPTIONS)
    async with channel:
        if protocol == "open":
            request = make_request(contract, rows)
            asks = [UnaryCaller(channel, request, metadata).ask for _ in range(callers)]
        else:
            asks = [PredictCaller(channel, contract, rows, metadata).ask for _ in range(callers)]
        return await press(asks, seconds=seconds)


def _summarize(load: Load, rows: int) -> dict[str, Any]:
    answered = len(load.latencies_s)
    latencies = {
        f"p{percent}_ms": load.quantile_s(percent / 100) * 1e3 if answered else None
        for percent in (50, 95, 99)
    }
    return {
        "requests": answered,
        "requests_per_s": load.requests_per_s,
        "rows_per_s": load.requests_per_s * rows,
        **latencies,
        "errors": load.errors,
        "cpu_s": load.cpu_s,
        "seconds": load.seconds,
    }


def _find_loop_factory() -> Any:  # noqa: ANN401 - uvloop's is optional
    with contextlib.suppress(ImportError):
        import uvloop  # noqa: PLC0415

        return uvloop.new_event_loop
    return None

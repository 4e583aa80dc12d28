"""`wearcast history`: rows of an edge service's store as a file."""

import sys
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import click

from wearcast.clients.edge.store.opening import reopen_store
from wearcast.clients.edge.store.table_files import check_suffix, read_parts, write_csv, write_file
from wearcast.signals.clock import find_zone, parse_time

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NEVER_US = 2**62


@click.command()
@click.argument("store", type=click.Path(path_type=Path))
@click.option("--day", metavar="DATE", help="That day, such as 2024-05-01; without it the newest.")
@click.option("--from", "first", metavar="TIME", help="From that time on, in ISO 8601.")
@click.option("--to", "end", metavar="TIME", help="To before that time.")
@click.option(
    "--time-zone", "zone", default="UTC", show_default=True, metavar="ZONE",
    help="Of DAY, and of times without an offset.",
)  # fmt: skip
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="FILE.csv, FILE.parquet, or FILE.png for a picture; without it CSV is printed.",
)  # fmt: skip
def command(  # noqa: PLR0917 - click gives them by name
    store: Path, day: str | None, first: str | None, end: str | None, zone: str, out: Path | None
) -> None:
    """Export rows of an edge service's store, of one day or between two times.

    The service may go on writing. Times are written in UTC.

    \b
    Examples:
      wearcast history edge.sqlite --day 2024-05-01 --out day.csv
      wearcast history edge.sqlite --from 2024-05-01T06:00Z --out rows.parquet
      wearcast history edge.sqlite --out day.png
    """
    if day and (first or end):
        problem = "--day goes without --from and --to"
        raise click.UsageError(problem)
    if out is not None and out.suffix != ".png":
        check_suffix(out)
    with closing(reopen_store(store)) as opened:
        table = opened.table
        if first or end:
            first_us = _read_time("from", first, zone) if first else 0
            end_us = _read_time("to", end, zone) if end else _NEVER_US
            if end_us <= first_us:
                raise click.BadParameter(f"--to: expected a time after {first}, got {end}")
        else:
            first_us, end_us = _find_day(day, zone, table.newest_us() or 0)
        parts = read_parts(table, first_us, end_us)
        if out is None:
            write_csv(sys.stdout, table.columns, parts)
        elif out.suffix == ".png":
            from wearcast.clients.plot_rows import draw_rows  # noqa: PLC0415

            rows = [row for part in parts for row in part]
            out.write_bytes(draw_rows(table.columns, rows, opened.alerts(first_us, end_us)))
            click.echo(f"{out}: {len(rows):,} rows", err=True)
        else:
            count = write_file(out, table.columns, parts)
            click.echo(f"{out}: {count:,} rows", err=True)


def _find_day(text: str | None, zone: str, newest_us: int) -> tuple[int, int]:
    """Both ends of a day of a time zone, in us; of the newest one without a text."""
    info = find_zone(zone)
    if text is None:
        day = (_EPOCH + timedelta(microseconds=newest_us)).astimezone(info).date()
    else:
        try:
            day = date.fromisoformat(text)
        except ValueError as error:
            problem = f"--day: expected a date such as 2024-05-01, got {text!r}"
            raise click.BadParameter(problem) from error
    midnights = (
        datetime(each.year, each.month, each.day, tzinfo=info)
        for each in (day, day + timedelta(days=1))
    )
    first_us, end_us = ((midnight - _EPOCH) // timedelta(microseconds=1) for midnight in midnights)
    return first_us, end_us


def _read_time(option: str, text: str, zone: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        problem = f"--{option}: expected an ISO 8601 time, got {text!r}"
        raise click.BadParameter(problem) from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=find_zone(zone))
    return parse_time(moment.isoformat())

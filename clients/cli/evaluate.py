"""`wearcast evaluate`: measure a kind of model on what it has not seen."""

import click

from wearcast.clients.cli.evaluate_fault import fault
from wearcast.clients.cli.evaluate_forecast import forecast
from wearcast.clients.cli.evaluate_gear import gear
from wearcast.clients.cli.evaluate_outlier import outlier
from wearcast.clients.cli.evaluate_rul import rul


@click.group()
def command() -> None:
    """Measure how good a kind of model is on what it has not seen.

    \b
    Examples:
      wearcast evaluate rul --data DIR_WITH_LEARNING_SET --out table.md
      wearcast evaluate forecast --data plant.csv --target flow_rate --out out
      wearcast evaluate outlier --data DIR_WITH_SKAB_AND_NAB --out table.md
      wearcast evaluate fault --data cwru --hold-out size --bearing 9:7.94:39.04 --out out
      wearcast evaluate gear --data RIG --out table.md
    """


for kind in (rul, forecast, outlier, fault, gear):
    command.add_command(kind)

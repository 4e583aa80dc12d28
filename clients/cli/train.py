"""`wearcast train`: train a model on recordings or on the file of a plant."""

import click

from wearcast.clients.cli.train_fault import fault
from wearcast.clients.cli.train_forecast import forecast
from wearcast.clients.cli.train_outlier import outlier
from wearcast.clients.cli.train_rul import rul


@click.group()
def command() -> None:
    """Train a model on recordings, or on the file of a plant.

    \b
    Examples:
      wearcast train rul --data Learning_set --out bearing.pth
      wearcast train forecast --data plant.csv --target flow_rate --out forecast.pth
      wearcast train outlier --data plant.csv --channel flow_rate --out outlier.pth
      wearcast train fault --data cwru --bearing 9:7.94:39.04 --out bearing-fault.pth
    """


for kind in (rul, forecast, outlier, fault):
    command.add_command(kind)

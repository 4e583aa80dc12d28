"""Options of the verbs that train and judge fault models, and what they come to."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wearcast.clients.cli import options
from wearcast.signals.bearing_orders import bearing_orders
from wearcast.signals.errors import InputError
from wearcast.signals.vibration.vibration import Vibration

if TYPE_CHECKING:
    from wearcast.training.fault.spectral_train import SpectralSettings

Texts = tuple[str, ...]
_GROUPS = ("bands", "orders", "modulation", "envelope")
# Where unbalance, misalignment and looseness show.
_SHAFT_ORDERS = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0)


def _read_bearing(
    _context: click.Context, _option: click.Parameter, text: str | None
) -> dict[str, float]:
    """BALLS:BALL_MM:PITCH_MM, and perhaps :ANGLE_DEG."""
    if text is None:
        return {}
    try:
        balls, ball_mm, pitch_mm, *angle = text.split(":")
        (angle_deg,) = map(float, angle or ["0"])
        return bearing_orders(int(balls), float(ball_mm), float(pitch_mm), angle_deg)
    except ValueError as error:
        problem = f"expected BALLS:BALL_MM:PITCH_MM, such as 9:7.94:39.04, got {text!r}"
        raise click.BadParameter(problem) from error


def _read_orders(context: click.Context, option: click.Parameter, texts: Texts) -> dict[str, float]:
    """NAME=MULTIPLE."""
    orders = {}
    for name, text in options.split_pairs(context, option, texts).items():
        try:
            orders[name] = float(text)
        except ValueError as error:
            problem = f"expected NAME=MULTIPLE, got {name}={text}"
            raise click.BadParameter(problem) from error
    return orders


data: options.Decorator = click.option(
    "--data", required=True, type=click.Path(exists=True, path_type=Path), metavar="PATH",
    help="Recordings whose faults are known: see docs/fault.md for the layouts.",
)  # fmt: skip
where: options.Decorator = click.option(
    "--where", multiple=True, metavar="NAME=VALUE", callback=options.split_pairs,
    help="Only recordings of that condition, such as unit=A.",
)  # fmt: skip
linear: options.Decorator = click.option(
    "--linear", is_flag=True,
    help="Resample rotor files by straight lines, as the original did; else with a filter.",
)  # fmt: skip
bearing: options.Decorator = click.option(
    "--bearing", callback=_read_bearing, metavar="BALLS:BALL_MM:PITCH_MM[:ANGLE]",
    help="A rolling bearing's geometry: spectral then looks at its orders in the envelope.",
)  # fmt: skip
orders: options.Decorator = click.option(
    "--order", "orders", multiple=True, callback=_read_orders, metavar="NAME=MULTIPLE",
    help="A frequency for spectral to look at, in multiples of the shaft's; may be repeated.",
)  # fmt: skip
shaft: options.Decorator = click.option(
    "--shaft-rpm", type=click.FloatRange(min=0, min_open=True), metavar="RPM",
    help="The shaft's nominal speed; else the mean of the recordings', where they tell.",
)  # fmt: skip
look: options.Decorator = click.option(
    "--look", multiple=True, type=click.Choice(_GROUPS),
    help="Features that spectral stands on; else what does best on folds left out.",
)  # fmt: skip
window: options.Decorator = click.option(
    "--window", type=click.IntRange(min=256), metavar="SAMPLES",
    help="Samples that spectral answers about; else 40 turns of the shaft.",
)  # fmt: skip


def load_recordings(
    path: Path, where_: Mapping[str, str], *, linear_: bool = False
) -> list[Vibration]:
    """The recordings at a path that have a fault, of some conditions.

    Raises:
        InputError: there is none, or none of these conditions.
    """
    from wearcast.signals.vibration.find import find_recordings  # noqa: PLC0415

    found = [item for item in find_recordings(path, linear=linear_) if item.fault]
    if not found:
        raise InputError(str(path), "recordings whose fault is known", "none")
    for name, value in where_.items():
        kept = [item for item in found if item.conditions.get(name) == value]
        if not kept:
            values = sorted({item.conditions[name] for item in found if name in item.conditions})
            raise InputError(f"where {name}", f"one of {', '.join(values) or 'none'}", value)
        found = kept
    return found


def make_settings(
    *,
    bearing_: Mapping[str, float],
    orders_: Mapping[str, float],
    shaft_rpm: float | None,
    look_: Sequence[str],
    window_: int | None,
    by: str | None = None,
) -> "SpectralSettings":
    """Settings of the spectral model: a bearing is looked at in the envelope, unless told else."""
    from wearcast.training.fault.spectral_train import SpectralSettings  # noqa: PLC0415

    every: dict[str, float] = {**bearing_, **orders_}
    if not every and shaft_rpm is not None:
        every = {f"{order:g}x": order for order in _SHAFT_ORDERS}
    chosen: Any = tuple(look_) or (("envelope",) if bearing_ else None)
    return SpectralSettings(
        window=window_,
        look=chosen,
        shaft_hz=None if shaft_rpm is None else shaft_rpm / 60,
        orders=every,
        by=by,
    )

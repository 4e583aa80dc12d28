"""A result as a picture; each kind of model has its own."""

import io

from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from wearcast.clients.plot_fault import draw_diagnosis
from wearcast.clients.plot_life import draw_life
from wearcast.clients.plot_plant import draw_forecast, draw_stages
from wearcast.clients.results import Result
from wearcast.signals.clock import format_time


def draw_png(result: Result) -> bytes:
    """The picture as PNG; its description says how many estimates it shows."""
    with rc_context({"date.converter": "concise"}):
        figure = Figure(figsize=(10, 7), dpi=110, layout="constrained")
        FigureCanvasAgg(figure)
        figure.suptitle(_describe(result), fontsize=12)
        _draw(figure, result)
        content = io.BytesIO()
        figure.savefig(
            content, format="png", metadata={"Description": f"{len(result.estimates)} estimates"}
        )
    return content.getvalue()


def _draw(figure: Figure, result: Result) -> None:
    if result.contract.forecast is not None:
        draw_forecast(figure, result)
    elif result.contract.outlier is not None:
        draw_stages(figure, result)
    elif result.contract.fault is not None:
        draw_diagnosis(figure, result)
    else:
        draw_life(figure, result)


def _describe(result: Result) -> str:
    title = f"{result.name}: {result.contract.name} version {result.contract.version}"
    if not result.estimates:
        return f"{title}, no estimates"
    if result.contract.fault is not None:  # its recordings seldom have a date
        label = f", labelled {result.labelled!r}" if result.labelled else ""
        now = result.estimates[-1].fault_diagnosis.diagnosis or "unknown"
        return f"{title}, {len(result.estimates)} estimates: {now}{label}"
    first, last = (
        format_time(item.window_end_us)[:19].replace("T", " ")
        for item in (result.estimates[0], result.estimates[-1])
    )
    return f"{title}, {len(result.estimates)} estimates, {first} to {last} UTC"

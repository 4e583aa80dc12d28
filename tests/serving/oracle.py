"""The oracle: one window after the other, through no server, no batch and no graph."""

from collections.abc import Iterable

from tiny import mean_abs_fraction, outputs_of, tiny_contract

from wearcast.signals.estimate import Estimate
from wearcast.signals.series import Block, Series


def naive_estimates(blocks: Iterable[Block], age_at_start_s: float = 0.0) -> list[Estimate]:
    series = Series(tiny_contract(), age_at_start_s=age_at_start_s)
    estimates = []
    for block in blocks:
        window = series.push(block)
        if window is not None:
            (fraction,) = mean_abs_fraction(window.values[None])
            estimates.append(series.answer(window, outputs_of(fraction)))
    return estimates

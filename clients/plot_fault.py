"""The picture of a fault: its probability over time, and which frequencies speak for it."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import NullFormatter

from wearcast.clients.explain import Explanation, Mark, find_marks, name_frequency
from wearcast.clients.occlusion import Signal, amplitudes, envelope
from wearcast.clients.results import Result
from wearcast.signals.contract import Contract, FaultPart
from wearcast.signals.diagnosis import NOVEL

_FAULTS = (
    "#4c9f70", "#b3261e", "#1f5fa8", "#d9822b", "#7b4fa3", "#17889b", "#a0522d", "#c2488c",
    "#7a8b2f", "#475569",
)  # fmt: skip
_LINES = ("#374151", "#6b93c4", "#9a7bb0", "#8aa37b")
_UNKNOWN, _MARK, _GREY = "#d1d5db", "#d9822b", "#9ca3af"
_NAMED = 3
# Chosen: three decades below the highest line is where noise begins in most recordings.
_DECADES = 1e-3


def draw_diagnosis(figure: Figure, result: Result) -> None:
    """Probabilities over the stable diagnosis; below them the explained window's two spectra.

    The x axis above is time since the recording's start, counted in blocks.
    """
    part, explanation = result.contract.fault, result.explanation
    if part is None:
        return
    heights = [2.2, 0.3] if explanation is None else [2.2, 0.3, 2.4, 2.4]
    axes = figure.subplots(len(heights), 1, height_ratios=heights)
    axes[0].sharex(axes[1])
    axes[0].tick_params(labelbottom=False)
    axes[0].set_ylabel("probability")
    axes[0].set_ylim(0, 1)
    axes[1].set_yticks([])
    axes[1].set_ylabel("stable", rotation=0, horizontalalignment="right", fontsize=8)
    axes[1].set_xlabel("time (s)")
    if result.estimates:
        _draw_probabilities(axes[0], axes[1], result, part)
    if explanation is not None:
        _draw_spectra(axes[2], axes[3], explanation, result.contract, part)


def _draw_probabilities(upper: Axes, strip: Axes, result: Result, part: FaultPart) -> None:
    answers = [item.fault_diagnosis for item in result.estimates]
    hop_s = result.contract.hop_s
    ends_s = np.array([item.sequence + 1 for item in result.estimates]) * hop_s
    edges_s = np.concatenate([[max(ends_s[0] - np.median(np.diff(ends_s, prepend=0)), 0)], ends_s])
    colours = [_FAULTS[place % len(_FAULTS)] for place in range(len(part.faults))]
    shares = np.array([[share for _, share in answer.probabilities] for answer in answers])
    upper.stackplot(
        edges_s, np.concatenate([shares[:1], shares]).T, colors=colours, linewidth=0, alpha=0.85,
        step="pre",
    )  # fmt: skip
    novel = [answer.novelty is not None and answer.novelty >= NOVEL for answer in answers]
    upper.fill_between(
        edges_s, 0, 1, where=np.array([novel[0], *novel]), step="pre", facecolor="none",
        edgecolor="white", hatch="////", linewidth=0,
    )  # fmt: skip
    places = [
        len(part.faults) if answer.unknown else part.faults.index(answer.diagnosis)
        for answer in answers
    ]
    strip.pcolormesh(
        edges_s, [0, 1], [places], cmap=ListedColormap([*colours, _UNKNOWN]), vmin=-0.5,
        vmax=len(part.faults) + 0.5, rasterized=True,
    )  # fmt: skip
    upper.set_xlim(edges_s[0], edges_s[-1])
    patches = [
        Patch(color=colour, label=fault) for colour, fault in zip(colours, part.faults, strict=True)
    ]
    patches.append(Patch(facecolor=_UNKNOWN, hatch="////", edgecolor="white", label="unknown"))
    upper.legend(
        handles=patches, loc="lower left", bbox_to_anchor=(0, 1), ncols=6, fontsize=8,
        frameon=False, borderaxespad=0.2,
    )  # fmt: skip


def _draw_spectra(
    middle: Axes, lower: Axes, explanation: Explanation, contract: Contract, part: FaultPart
) -> None:
    marks = find_marks(explanation)
    end_s = (explanation.sequence + 1) * contract.hop_s
    begin_s = end_s - explanation.values.shape[1] / explanation.sample_rate_hz
    unit = _format_unit(contract)
    # Of a very slow shaft there is no band: a window has no turn of it.
    envelope_hz = float(explanation.envelope_bands_hz.max(initial=0.0))
    for axes, in_envelope, shown, highest_hz in (
        (middle, False, explanation.values, explanation.sample_rate_hz / 2),
        (lower, True, envelope(explanation.values), envelope_hz or explanation.sample_rate_hz / 2),
    ):
        own = [mark for mark in marks if mark.in_envelope == in_envelope]
        _draw_spectrum(axes, shown, explanation.sample_rate_hz, highest_hz, contract)
        _draw_marks(axes, own, marks[0].drop if marks else 1.0, part)
    speak = f"orange: what speaks for {explanation.fault!r}" if marks else "no band of it decides"
    middle.set_title(
        f"{begin_s:.4g} to {end_s:.4g} s; {speak}", fontsize=9, loc="left", color="#374151"
    )
    middle.legend(
        loc="lower right", bbox_to_anchor=(1, 1), ncols=len(contract.channels), fontsize=8,
        frameon=False, borderaxespad=0.2,
    )  # fmt: skip
    middle.set_ylabel(f"amplitude{unit}")
    lower.set_ylabel(f"of envelope{unit}")
    lower.set_xlabel("frequency (Hz)")


def _draw_spectrum(
    axes: Axes, shown: Signal, rate_hz: float, highest_hz: float, contract: Contract
) -> None:
    frequencies, sizes = amplitudes(shown, rate_hz)
    inside = (frequencies > 0) & (frequencies <= highest_hz)
    for place, (channel, own) in enumerate(zip(contract.channels, sizes, strict=True)):
        axes.plot(
            frequencies[inside], own[inside], linewidth=0.7, label=channel.name,
            color=_LINES[place % len(_LINES)],
        )  # fmt: skip
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(lambda size, _: f"{size:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())
    # Above the highest line is room for names.
    top = float(sizes[:, inside].max()) or 1.0
    axes.set_ylim(top * _DECADES, top * 4)
    axes.set_xlim(0, highest_hz)
    axes.grid(color=_GREY, alpha=0.25)


def _draw_marks(axes: Axes, marks: list[Mark], strongest: float, part: FaultPart) -> None:
    """The stronger, the darker; those that are named don't cover each other."""
    for mark in marks:
        strength = 0.15 + 0.45 * min(mark.drop / strongest, 1.0)
        axes.axvspan(mark.low_hz, mark.high_hz, color=_MARK, alpha=strength, linewidth=0, zorder=0)
    for line, mark in enumerate(sorted(marks[:_NAMED], key=lambda mark: mark.hz)):
        right = mark.hz > 0.6 * axes.get_xlim()[1]
        axes.annotate(
            name_frequency(mark.hz, part), (mark.hz, 0.95 - 0.11 * line),
            xycoords=("data", "axes fraction"), xytext=(-4 if right else 4, 0),
            textcoords="offset points", fontsize=8, color="#7c3f00", verticalalignment="top",
            horizontalalignment="right" if right else "left",
            bbox={"facecolor": "white", "alpha": 0.75, "linewidth": 0, "pad": 1},
        )  # fmt: skip
        axes.axvline(mark.hz, color=_MARK, linewidth=0.8, linestyle=":", zorder=0)


def _format_unit(contract: Contract) -> str:
    """The channels' unit, where they have one in common."""
    units = {channel.unit for channel in contract.channels} - {"", "1"}
    return f" ({units.pop()})" if len(units) == 1 else ""

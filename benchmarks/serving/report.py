"""The benchmark's figures as tables, with their ratios."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_OURS = "wearcast"
# What was asked for.
_FLOOR, _GOAL, _ALONE, _CPU_US, _PACKED = 1.4, 2.0, 1.1, 650, 0.85


def make_report(
    machine: str,
    figures: Sequence[Any],
    states: Mapping[str, str],
    *,
    batching: Sequence[str],
    seconds: float,
) -> str:
    """Markdown; `figures` are throughput.Figure, `states` versions or why there is no figure."""
    hows = list(dict.fromkeys(item.how for item in figures if item.how.startswith("unary")))
    medians = {
        (who, how): statistics.median(rates)
        for who, how in dict.fromkeys((item.who, item.how) for item in figures)
        if (rates := [item.rows_per_s for item in figures if (item.who, item.how) == (who, how)])
    }
    rounds = max((sum(item.who == _OURS for item in figures) // (len(hows) + 2)), 1)
    lines = [
        "# Serving: LSTM(4 -> 256, 2 layers, window 60, 1 output) over gRPC",
        "",
        f"{machine}.",
        "",
        f"Medians (ranges) of {rounds} rounds of {seconds:g} s each, the servers in turns. Unary",
        "calls of the Open Inference Protocol with one window each, all callers on one connection.",
        "The load generator runs on the same cores; its time is shown, in cores.",
        "",
        "| server | callers | requests/s | p50 ms | p99 ms | CPU us each | generator | errors |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for who, state in states.items():
        for how in hows:
            those = [item for item in figures if (item.who, item.how) == (who, how)]
            if those:
                lines.append(_make_line(who, how.split()[1], those))
        if (who, hows[0] if hows else "") not in medians:
            lines.append(f"| {who} | not measured: {state} | | | | | | |")
    lines += ["", "Servers: " + "; ".join(f"{who}: {text}" for who, text in states.items()) + "."]
    lines += ["", "## Ratios", "", *_compare(medians, figures, batching)]
    lines += ["", "## Packed windows", ""]
    lines += ["32 windows a message on 4 streams, beside ONNX Runtime in process with the same"]
    lines += ["threads, 32 rows a run, in the same rounds.", ""]
    lines += ["| how | windows/s | p50 ms | p99 ms | CPU us a window | generator | errors |"]
    lines += ["|---|---|---|---|---|---|---|"]
    for how in ("open stream", "predict stream", "runs"):
        those = [item for item in figures if item.how == how]
        if those:
            name = "in process" if how == "runs" else how
            lines.append("| " + _make_line("", "", those).removeprefix("|  |  | "))
            lines[-1] = f"| {name} {lines[-1]}"
    lines += ["", *_compare_packed(figures), "", "Made by `make bench-serving`."]
    return "\n".join(lines) + "\n"


def _make_line(who: str, callers: str, those: Sequence[Any]) -> str:
    def median(values: Iterable[float]) -> float:
        return statistics.median(values)

    rates = [item.rows_per_s for item in those]
    cells = [
        f"{median(rates):,.0f} ({min(rates):,.0f} to {max(rates):,.0f})",
        f"{median(item.p50_ms for item in those):.1f}",
        f"{median(item.p99_ms for item in those):.1f}",
        f"{median(item.server_us for item in those):,.0f}",
        f"{median(item.client_cpu for item in those):.2f}",
        str(sum(item.errors for item in those)),
    ]
    return f"| {who} | {callers} | {' | '.join(cells)} |"


def _compare(
    medians: Mapping[tuple[str, str], float], figures: Sequence[Any], batching: Sequence[str]
) -> list[str]:
    lines = []
    for how, those, text, bars in (
        ("unary 32", batching, "the best batching peer", f"floor {_FLOOR:g}, goal {_GOAL:g}"),
        ("unary 1", None, "the best of all", f"goal {_ALONE:g}"),
    ):
        peers = {
            who: rate
            for (who, asked), rate in medians.items()
            if asked == how and who != _OURS and (those is None or who in those)
        }
        callers = how.split()[1]
        if not peers or (_OURS, how) not in medians:
            lines.append(f"- Callers {callers}: no peer to compare with.")
            continue
        best = max(peers, key=lambda who: peers[who])
        ratio = medians[_OURS, how] / peers[best]
        lines.append(f"- Callers {callers}: {ratio:.2f} times {text} ({best}); {bars}.")
    ours = [item.server_us for item in figures if (item.who, item.how) == (_OURS, "unary 32")]
    if ours:
        got = statistics.median(ours)
        lines.append(
            f"- Server CPU at 32 callers: {got:.0f} us a request; at most {_CPU_US} asked."
        )
    return lines


def _compare_packed(figures: Sequence[Any]) -> list[str]:
    """Round by round, as what else the machine does differs between rounds."""
    bare = [item.rows_per_s for item in figures if item.how == "runs"]
    lines = []
    for how in ("open stream", "predict stream"):
        rates = [item.rows_per_s for item in figures if item.how == how]
        shares = [rate / most for rate, most in zip(rates, bare, strict=False)]
        if shares:
            got = statistics.median(shares)
            lines.append(f"- {how}: {got:.0%} of in process; at least {_PACKED:.0%} asked.")
    return lines

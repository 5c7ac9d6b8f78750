"""What a bench says: one line for each measure, then a summary; and whether every bar holds."""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import TextIO


@dataclass(frozen=True)
class Measure:
    """One figure of ours beside the limit that was measured in the same run.

    Args:
        measure: what was done, and against what.
        value, limit: medians of both, in `unit`.
        ratio: value / limit, the median over the runs, each compared with its own.
        bar: the least ratio that will do; None where the figure is only told.
        p50, p95: seconds of our runs (nearest rank: of three runs, p95 is the slowest).
        sql: how the limit was made.
    """

    measure: str
    value: float
    unit: str
    limit: float
    ratio: float
    bar: float | None
    p50: float
    p95: float
    runs: int
    sql: str

    @property
    def holds(self) -> bool:
        """Whether the ratio reaches the bar, or there is none."""
        return self.bar is None or self.ratio >= self.bar


def percentile(values: Sequence[float], rank: int) -> float:
    """The value at or below which `rank` of a hundred lie (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(rank / 100 * len(ordered)) - 1)]


def compare(
    measure: str, *, count: int, ours: Sequence[float], limits: Sequence[float], bar: float | None, sql: str, unit: str
) -> Measure:
    """A measure of throughput from seconds: `ours` and `limits` did `count` things each, pairwise in the same round."""
    return Measure(
        measure=measure,
        value=round(count / median(ours)),
        unit=unit,
        limit=round(count / median(limits)),
        ratio=round(median(limit / own for own, limit in zip(ours, limits, strict=True)), 3),
        bar=bar,
        p50=round(median(ours), 4),
        p95=round(percentile(ours, 95), 4),
        runs=len(ours),
        sql=sql,
    )


def show(measures: Iterable[Measure], *, out: TextIO, conditions: str, is_json: bool) -> bool:
    """Write each line as soon as it is measured, then the summary; whether every bar holds."""
    listed = []
    for each in measures:
        listed.append(each)
        out.write((json.dumps({**asdict(each), "holds": each.holds}) if is_json else _line(each)) + "\n")
        out.flush()
    missed = [each for each in listed if not each.holds]
    if is_json:
        summary = {"measures": len(listed), "missed": [each.measure for each in missed], "holds": not missed}
        out.write(json.dumps({"summary": summary, "conditions": conditions}) + "\n")
        return not missed
    out.writelines(f"limit: {sql}\n" for sql in dict.fromkeys(each.sql for each in listed))
    out.write(f"{conditions}\n")
    words = "; ".join(f"{each.measure} by {1 - each.ratio / (each.bar or 1):.0%}" for each in missed)
    out.write(f"missed {len(missed)} of {len(listed)} bars: {words}\n" if missed else f"all {len(listed)} bars hold\n")
    return not missed


def _line(each: Measure) -> str:
    verdict = ("holds" if each.holds else "MISSED") if each.bar else "no bar"
    bar = f"{each.bar:.3g}" if each.bar else "-"
    return (
        f"{each.measure:<34} {_short(each.value):>10} {each.unit}  limit {_short(each.limit):>10}  ratio "
        f"{each.ratio:>6.2f}  bar {bar:>5}  {verdict:<6}  p50 {each.p50:.3f} s  p95 {each.p95:.3f} s  runs {each.runs}"
    )


def _short(number: float) -> str:
    return f"{number:,.0f}" if number >= 1_000 else f"{number:,.3g}"

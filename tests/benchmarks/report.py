"""What was measured, as Markdown, JSON and a picture.

Pure: numbers in, texts out.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from typing import Any
from xml.sax.saxutils import escape

from tests.benchmarks.bench import PRODUCT

_MEGABYTE = 1_000_000


@dataclass(slots=True)
class Runs:
    """All runs of one contender at one work."""

    contender: str
    how: str
    seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)
    peak_bytes: list[int] = field(default_factory=list)
    wrong: str | None = None

    def document(self) -> dict[str, Any]:
        """Medians, and every run."""
        return {
            "contender": self.contender,
            "how": self.how,
            "seconds": _median(self.seconds),
            "cpu_seconds": _median(self.cpu_seconds),
            "peak_bytes": _median(self.peak_bytes),
            "wrong": self.wrong,
            "runs": {
                "seconds": self.seconds,
                "cpu_seconds": self.cpu_seconds,
                "peak_bytes": self.peak_bytes,
            },
        }


def _median(numbers: list[Any]) -> float | None:
    return statistics.median(numbers) if numbers else None


def markdown(document: dict[str, Any]) -> str:
    """One table a work, growth where there are several sizes, then how it was measured."""
    parts = [_table(work) for work in document["works"]]
    return "\n".join([*parts, *growth(document["works"]), _conditions(document)])


def _rows(work: dict[str, Any]) -> str:
    return f" ({work['rows']:,} rows)" if work["rows"] else ""


def _table(work: dict[str, Any]) -> str:
    own = next((c for c in work["contenders"] if c["contender"] == PRODUCT), None)
    lines = [
        f"**{work['title']}**{_rows(work)}",
        "",
        "| | class | wall | ratio | CPU | ratio | peak memory |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    lines += [_row(contender, own) for contender in work["contenders"]]
    return "\n".join([*lines, ""])


def _row(contender: dict[str, Any], own: dict[str, Any] | None) -> str:
    name, how, seconds = contender["contender"], contender["how"], contender["seconds"]
    if seconds is None:
        return f"| {name} | {how} | failed | | | | |"
    wrong = " (wrong result)" if contender["wrong"] else ""
    memory = contender["peak_bytes"] / _MEGABYTE
    times = " | ".join(
        f"{contender[kind]:.2f} s | {_ratio(contender[kind], own and own[kind])}"
        for kind in ("seconds", "cpu_seconds")
    )
    return f"| {name}{wrong} | {how} | {times} | {memory:,.0f} MB |"


def _ratio(seconds: float, own: float | None) -> str:
    """The product's time as a part of another's."""
    return f"{own / seconds:.2f}" if own and seconds else ""


def growth(works: list[dict[str, Any]]) -> list[str]:
    """The product's CPU and memory at each work that was done in several sizes."""
    sizes: dict[str, list[dict[str, Any]]] = {}
    for work in works:
        sizes.setdefault(work["title"], []).append(work)
    lines = [
        f"| {title} | {work['rows']:,} | {own['cpu_seconds']:.2f} s"
        f" | {own['cpu_seconds'] / work['rows'] * _MEGABYTE:.2f} s"
        f" | {own['peak_bytes'] / _MEGABYTE:,.0f} MB |"
        for title, each in sizes.items()
        if len(each) > 1
        for work in each
        for own in work["contenders"]
        if own["contender"] == PRODUCT and own["cpu_seconds"] and work["rows"]
    ]
    head = "| | rows | CPU | of a million rows | peak memory |\n|---|---:|---:|---:|---:|"
    return [f"**Growth of {PRODUCT}**\n", head, *lines, ""] if lines else []


def _conditions(document: dict[str, Any]) -> str:
    load = document["load_average"]
    versions = ", ".join(f"{name} {version}" for name, version in document["versions"].items())
    return (
        f"Medians of {document['runs']} runs in turn; wall clock of the whole process, CPU user and"
        f" system. {document['cpus']} CPUs, load average {load['before']:.1f} before and"
        f" {load['after']:.1f} after. {versions}. A ratio is {PRODUCT}'s time divided by the other"
        " client's: below 1, it is faster.\n"
    )


_WIDTH, _LEFT, _BAR, _GAP = 820, 190, 18, 6


def picture(document: dict[str, Any]) -> str:
    """Bars of wall time, one group a work, each group on its own scale."""
    shapes: list[str] = []
    top = 16
    for work in document["works"]:
        drawn = [c for c in work["contenders"] if c["seconds"] is not None]
        longest = max((c["seconds"] for c in drawn), default=1.0)
        shapes.append(_text(8, top + 12, f"{work['title']}{_rows(work)}", "title"))
        top += 24
        for contender in drawn:
            shapes += _bar(contender, top, longest)
            top += _BAR + _GAP
        top += 14
    style = (
        "text{font:12px system-ui,sans-serif;fill:#555}.title{font-weight:600;fill:#333}"
        ".bar{fill:#9aa7b5}.own{fill:#0b5cab}"
        "@media(prefers-color-scheme:dark){text{fill:#bbb}.title{fill:#eee}.own{fill:#5aa9f0}}"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {top}" role="img"'
        f' aria-label="Wall time of each client at each work">\n<style>{style}</style>\n'
        + "\n".join(shapes)
        + "\n</svg>\n"
    )


def _bar(contender: dict[str, Any], top: int, longest: float) -> list[str]:
    width = max(2.0, contender["seconds"] / longest * (_WIDTH - _LEFT - 170))
    own = "own" if contender["contender"] == PRODUCT else "bar"
    wrong = ", wrong result" if contender["wrong"] else ""
    said = f"{contender['seconds']:.2f} s, {contender['peak_bytes'] / _MEGABYTE:,.0f} MB{wrong}"
    return [
        _text(_LEFT - 8, top + 13, contender["contender"], "name", "end"),
        f'<rect class="{own}" x="{_LEFT}" y="{top}" width="{width:.1f}" height="{_BAR}" rx="2"/>',
        _text(int(_LEFT + width + 8), top + 13, said, "said"),
    ]


def _text(x: int, y: int, text: str, kind: str, anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x}" y="{y}" text-anchor="{anchor}">{escape(text)}</text>'

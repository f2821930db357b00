"""A page as one HTML file that loads nothing else.

Pure. The page's own policy forbids every request, and every script and style but its own. Knows
nothing of what a page shows.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from functools import cache
from itertools import accumulate
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

_BASE = Path(__file__).with_name("base.css")


def page(folder: Path, name: str, **facts: object) -> str:
    """Render `NAME.html` of a folder of templates with `NAME.css` and, if there is one, `NAME.js`.

    Every fact is escaped where the template shows it.
    """
    style = _BASE.read_text(encoding="utf-8") + (folder / f"{name}.css").read_text(encoding="utf-8")
    file = folder / f"{name}.js"
    script = file.read_text(encoding="utf-8") if file.exists() else ""
    policy = f"default-src 'none'; style-src '{_hash(style)}'; "
    policy += f"script-src '{_hash(script)}'; " if script else ""
    return (
        _environment(folder)
        .get_template(f"{name}.html")
        .render(
            **facts,
            style=Markup(style),  # noqa: S704 - the product's own file
            script=Markup(script),  # noqa: S704
            policy=f"{policy}base-uri 'none'; form-action 'none'",
        )
    )


def share(part: float, whole: float) -> float:
    """A part in percent, between 0 and 100."""
    return round(min(100.0, 100 * part / whole), 2) if whole > 0 else 0.0


def stretches(numbers: Sequence[int]) -> list[tuple[float, float]]:
    """Where each of some numbers is on a bar and how long, in percent; none is too small to see."""
    sizes = [max(number, sum(numbers) / 80) for number in numbers]
    ends = list(accumulate(100 * size / sum(sizes) for size in sizes))
    starts = [0.0, *ends]
    return [(round(a, 2), round(b - a, 2)) for a, b in zip(starts, ends, strict=False)]


@cache
def _environment(folder: Path) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["with_code"] = _with_code
    environment.filters["number"] = "{:,}".format
    return environment


def _with_code(text: str) -> Markup:
    """A message, what is between backticks as code."""
    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"

"""Pages for browsers: plain HTML that works without JavaScript.

Knows templates. Knows no org: it is given the values.
"""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from runner.local_org.http.messages import Response


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("runner.local_org.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def page(template: str, status: int = 200, **values: object) -> Response:
    """A page rendered from `templates/<template>.html`."""
    text = _templates().get_template(f"{template}.html").render(**values)
    headers = {"Content-Type": "text/html;charset=UTF-8", "Cache-Control": "no-store"}
    return Response(status, text.encode(), headers)

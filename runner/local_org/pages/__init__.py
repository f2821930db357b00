"""Pages for browsers: plain HTML that works without JavaScript.

Knows templates. Knows no org: it is given the values.
"""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from runner.local_org.http.messages import Request, Response

ICON = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32"'
    b' rx="7" fill="#0b5cab"/><path d="M8 11h16M8 16h16M8 21h10" stroke="#fff" stroke-width="3"'
    b' stroke-linecap="round"/></svg>'
)
_FOR_PROGRAMS = ("/services", "/__org", "/id/", "/.well-known/")


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


def is_page(request: Request) -> bool:
    """Whether a person's browser asks, rather than a program."""
    return not request.path.startswith(_FOR_PROGRAMS)


def refusal_page(status: int, message: str) -> Response:
    """What a browser shows for a page that does not exist, or an action that is refused."""
    return page("refusal", status, heading=_HEADINGS.get(status, "Not possible"), message=message)


_HEADINGS = {404: "There is no such page", 500: "The local org failed"}

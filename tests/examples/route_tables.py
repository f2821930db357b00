"""The routes of the local org, read off its router.

Used by `reference_tables.py`. Knows routes and the regular expressions of their paths.
"""

import re

from runner.local_org.router import ROUTES


def tables():
    """What the local org answers, by the part of the path that its routes share."""
    found = {"rest": [], "services": [], "org": []}
    for route in sorted(ROUTES, key=lambda each: (paths_of(each.path), each.method)):
        services = route.path.startswith(("/services/", "/id/"))
        name = "rest" if route.versioned else "services" if services else "org"
        module = route.endpoint.__module__.removeprefix("runner.local_org.").replace(".", "/")
        since = f"{route.min_version:.1f}" if route.min_version else ""
        cells = (" and ".join(f"`{each}`" for each in paths_of(route.path)), since, f"`{module}`")
        if found[name] and found[name][-1][1:] == cells:
            found[name][-1][0].append(route.method)
        else:
            found[name].append(([route.method], *cells))
    return {name: _routes(rows) for name, rows in found.items()}


def _routes(rows):
    versioned = any(since for _, _, since, _ in rows)
    lines = [("path", "methods", "since", "module"), ("---",) * 4]
    lines += [(path, ", ".join(methods), since, module) for methods, path, since, module in rows]
    shown = [cells if versioned else (*cells[:2], cells[3]) for cells in lines]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in shown)


def paths_of(pattern):
    """The paths that the regular expression of a route matches, with its parameters in braces."""
    opening = pattern.find("(")
    if opening < 0:
        return [pattern]
    closing = _closing(pattern, opening)
    inner, rest = pattern[opening + 1 : closing], pattern[closing + 1 :]
    if named := re.match(r"\?P<(\w+)>", inner):
        choices = [f"{{{named[1]}}}"]
    elif rest.startswith("?"):
        choices, rest = [""], rest[1:]
    else:
        choices = re.sub(r"^\?i?:", "", inner).split("|")
    return [pattern[:opening] + each + end for each in choices for end in paths_of(rest)]


def _closing(pattern, opening):
    """Where the group that opens there closes."""
    depth = 0
    for found in re.finditer(r"\\.|\[[^\]]*\]|[()]", pattern[opening:]):
        depth += {"(": 1, ")": -1}.get(found[0], 0)
        if depth == 0:
            return opening + found.start()
    raise ValueError(pattern)

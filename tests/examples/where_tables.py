"""Where each job key, code and error is dealt with, read off the source.

Used by `reference_tables.py`. Knows attributes, text constants and `raise`; runs nothing.
"""

import ast
import re
from functools import cache
from itertools import product
from pathlib import Path

from tests.source_nodes import nodes_of, texts_of

ROOT = Path(__file__).parents[2]
RUNNER = ROOT / "runner"
ATTRIBUTES = {
    "from": ("source",),
    "to": ("target", "targets"),
    "query": ("soql",),
    "timeout": ("timeout_seconds",),
    "max_disk": ("max_disk_bytes",),
    "max_wait": ("longest_wait_seconds",),
    "total": ("total_seconds",),
    "parent": ("parent_column",),
    "assignment_rule": ("assignment_rule",),
}
"""Keys whose attribute in the typed model has another name."""
OWNERS = {
    "job": {"job"},
    "connection": {"connection"},
    "task": {"task", "write", "query", "answer", "child"},
    "retry": {"retry", "policy"},
    "options": {"options"},
    "file": {"shape", "source", "target", "file"},
}
"""What the objects with these attributes are called in the source."""


_nodes = cache(nodes_of)


@cache
def _files():
    files = sorted(RUNNER.rglob("*.py"))
    return tuple(file for file in files if "local_org" not in file.parts)


def _owner(node):
    name = getattr(node, "attr", getattr(node, "id", ""))
    return name.lstrip("_")


@cache
def _read_in(file):
    """Attributes that a file reads, each with the name of its object."""
    return {
        (_owner(node.value), node.attr) for node in _nodes(file) if isinstance(node, ast.Attribute)
    }


def readers(key, owner):
    """Files outside the job model that read a key's attribute."""
    wanted = set(product(OWNERS[owner], ATTRIBUTES.get(key, (key,))))
    return [
        file
        for file in _files()
        if file.name not in {"model.py", "endpoints.py", "build.py"}
        and not file.is_relative_to(RUNNER / "report")  # reports know outcomes and plans, no jobs
        and wanted & _read_in(file)
    ]


def with_text(pattern):
    """Files with a text constant that matches; what matched, and the files."""
    found = {}
    for file in _files():
        for each in texts_of(file):
            for text in re.findall(pattern, each):
                found.setdefault(text, []).append(file)
    return {text: list(dict.fromkeys(files)) for text, files in sorted(found.items())}


def raisers():
    """Each error class of `errors.py`, its exit code, and the files that raise it."""
    classes = {}
    for node in _nodes(RUNNER / "errors.py"):
        if isinstance(node, ast.ClassDef):
            classes[node.name] = []
    for file in _files():
        for node in _nodes(file):
            called = getattr(getattr(node, "func", None), "id", None)
            if isinstance(node, ast.Call) and called in classes:
                classes[called].append(file)
    return {name: list(dict.fromkeys(files)) for name, files in classes.items() if files}


def shown(files):
    """Files as links from a page in docs/reference."""
    names = [str(file.relative_to(RUNNER)) for file in files]
    return ", ".join(f"[{name}](../../runner/{name})" for name in names)


def table(head, rows):
    """A table of two columns; rows without files are left out."""
    lines = [f"| {head} | where |", "|---|---|"]
    lines += [f"| `{name}` | {shown(files)} |" for name, files in rows if files]
    return "\n".join(lines) + "\n"


def key_table(sections):
    """The table of job keys: (owner, keys) in the order of the job file."""
    rows = {}
    for owner, keys in sections:
        for key in keys:
            name = key if owner in {"job", "task"} else f"{owner}: {key}"
            rows.setdefault(name, readers(key, owner))
    return table("key", rows.items())

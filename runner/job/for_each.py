"""Tasks with `for_each`: each becomes a task for every item, before anything else looks at them.

`{object}` in a text of such a task stands for the item. Items are names (letters, digits, `_`), so
that nothing else can get into a query or a path through them. Pure: from values with their
positions to values with positions in the same file. Knows nothing of what tasks do.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from runner.diagnostics import Diagnostic, Location, Position
from runner.job.origin import Origin
from runner.job.yaml.tree import Plain
from runner.suggest import did_you_mean

KEY = "for_each"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_BIND_NAME = re.compile(r"[a-z][a-z0-9_]*")
_BRACES = re.compile(r"\{([^{}]*)\}")
_NAMED_BY = ("name", "create", "update", "upsert", "delete", "mirror", "merge", "key")
"""Keys of a task whose values are names: braces in them can only be meant as a bind."""

_ROWS = ("from", "lists")
"""Keys of a task that may name the tasks whose rows it reads: `{task: …}`."""

Binds = Mapping[str, str]
"""An item: what each name stands for."""


class Expansion(Struct, frozen=True):
    """The values of a job without `for_each`, and where they are written."""

    values: dict[str, Plain]
    origin: Origin
    problems: tuple[Diagnostic, ...] = ()


class _Problem(Struct, frozen=True):
    """What is wrong with a task, at a path in it."""

    path: Location
    code: str
    message: str
    help: str | None
    at_key: bool = False


class _Task(Struct, frozen=True):
    """A task as it is written."""

    index: int
    values: Any
    items: tuple[Binds, ...] | None = None
    """None: it has no `for_each`, or one that the schema reports."""

    @property
    def name(self) -> object:
        return self.values.get("name") if isinstance(self.values, dict) else None

    def name_for(self, item: Binds) -> str:
        """The name of the task for an item: with the item at its end if it does not have it."""
        name = str(self.name)
        bound = _bound(name, item)
        return bound if bound != name else "-".join([name, *list(item.values())[:1]])


def expand(values: dict[str, Plain], origin: Origin) -> Expansion:
    """Make a task for each item; values and origin are the same if no task has any.

    A `for_each` that is not well-formed stays, for the schema to report.
    """
    written = values.get("tasks")
    if not isinstance(written, list):
        return Expansion(values, origin)
    tasks = [_Task(index, each, _items(each)) for index, each in enumerate(written)]
    wrong = {task.index: found for task in tasks if (found := list(_problems(task)))}
    tasks = [replace(task, items=None) if task.index in wrong else task for task in tasks]
    made: list[Plain] = []
    places: list[tuple[int, Binds]] = []
    problems: list[tuple[int, _Problem]] = []
    for task in tasks:
        problems += ((len(made), found) for found in wrong.get(task.index, ()))
        for item in ({},) if task.items is None else task.items:
            made.append(_made(task, item, tasks))
            places.append((task.index, item))
    if len(made) != len(tasks) or any(task.items for task in tasks):
        values, origin = {**values, "tasks": made}, _moved(origin, places)
    return Expansion(
        values,
        origin,
        tuple(
            origin.diagnose(
                ("tasks", index, *found.path),
                found.code,
                found.message,
                help=found.help,
                at_key=found.at_key,
            )
            for index, found in problems
        ),
    )


def _items(task: object) -> tuple[Binds, ...] | None:
    """The items of a task; None if it has none, or they are not as the schema wants them."""
    declared = task.get(KEY) if isinstance(task, dict) else None
    if isinstance(declared, dict) and len(declared) == 1:
        ((bind, names),) = declared.items()
        items = [{bind: each} for each in names] if isinstance(names, list) else []
    else:
        items = declared if isinstance(declared, list) else []
    return tuple(items) if items and all(map(_is_item, items)) else None


def _is_item(item: object) -> bool:
    return (
        isinstance(item, dict)
        and bool(item)
        and all(isinstance(name, str) and _BIND_NAME.fullmatch(name) for name in item)
        and all(isinstance(each, str) and _NAME.fullmatch(each) for each in item.values())
    )


def _made(task: _Task, item: Binds, tasks: Sequence[_Task]) -> Plain:
    """The task for one item; the task itself if it has no items."""
    if not isinstance(task.values, dict):
        plain: Plain = task.values
        return plain
    values = {key: each for key, each in task.values.items() if key != KEY or task.items is None}
    if task.items is not None:
        values = {**_bound(values, item), "name": task.name_for(item)}
    return _with_references(values, item, tasks)


def _with_references(values: dict[str, Any], item: Binds, tasks: Sequence[_Task]) -> dict[str, Any]:
    """Name what other tasks have become: `needs` all of them, rows those of the same item."""
    of_name = {each.name: each for each in tasks if each.items is not None}
    needs = values.get("needs")
    if isinstance(needs, list):
        values = {
            **values,
            "needs": [name for each in needs for name in (_names_of(of_name.get(each)) or [each])],
        }

    def same_item(name: object) -> object:
        other = of_name.get(name)
        found = [each for each in _items_of(other) if each.items() <= item.items()]
        return other.name_for(found[0]) if other and len(found) == 1 else name

    rows = {key: _with_tasks(values[key], same_item) for key in _ROWS if key in values}
    if "on_failure" in values:
        rows["on_failure"] = same_item(values["on_failure"])
    return {**values, **rows}


def _with_tasks(value: Any, renamed: Callable[[object], object]) -> Any:  # noqa: ANN401
    """A value with other names in all of its `{task: …}`."""
    if not isinstance(value, dict):
        return value
    return {
        key: renamed(each)
        if key == "task" and isinstance(each, str)
        else _with_tasks(each, renamed)
        for key, each in value.items()
    }


def _items_of(task: _Task | None) -> tuple[Binds, ...]:
    return (task.items if task else None) or ()


def _names_of(task: _Task | None) -> list[str]:
    return [task.name_for(item) for item in _items_of(task)] if task else []


def _bound(value: Any, item: Binds) -> Any:  # noqa: ANN401 - as YAML has it
    """A value with the item in the place of its name, in keys too."""
    if isinstance(value, str):
        return _BRACES.sub(lambda found: item.get(found[1], found[0]), value)
    if isinstance(value, list):
        return [_bound(each, item) for each in value]
    if isinstance(value, dict):
        return {_bound(key, item): _bound(each, item) for key, each in value.items()}
    return value


def _moved(origin: Origin, places: Sequence[tuple[int, Binds]]) -> Origin:
    """The positions of the tasks that were made: those of the tasks they are made of."""
    kept = {path: at for path, at in origin.positions.items() if path[:1] != ("tasks",)}
    within: dict[int, list[tuple[Location, Position]]] = {}
    for path, at in origin.positions.items():
        if len(path) > 1 and path[0] == "tasks" and isinstance(path[1], int):
            within.setdefault(path[1], []).append((path[2:], at))
        elif path[:1] == ("tasks",):
            kept[path] = at
    for index, (written, item) in enumerate(places):
        for rest, at in within.get(written, ()):
            kept["tasks", index, *(_bound(key, item) for key in rest)] = at
    return replace(origin, positions=kept)


def _problems(task: _Task) -> Iterator[_Problem]:
    """Names that stand for nothing, items without effect, and braces that YAML took for its own."""
    if not isinstance(task.values, dict) or (KEY in task.values and task.items is None):
        return
    known = tuple(task.items[0]) if task.items else ()
    yield from _of_items(task, known)
    for key in _NAMED_BY:
        value = task.values.get(key)
        if known and isinstance(value, dict) and list(value.values()) == [None]:
            yield _Problem(
                (key,),
                "job/for-each-quotes",
                "braces without quotes are a mapping in YAML",
                f'write it in quotes: "{{{next(iter(value))}}}"',
            )
        if isinstance(value, str):
            yield from _unknown((key,), value, known)
    fields = task.values.get("fields")
    for field in fields if isinstance(fields, dict) else ():
        yield from _unknown(("fields", field), str(field), known, at_key=True)


def _unknown(
    path: Location, text: str, known: Sequence[str], *, at_key: bool = False
) -> Iterator[_Problem]:
    for name in _BRACES.findall(text):
        if name not in known:
            yield _Problem(
                path,
                "job/unknown-item",
                f"`{{{name}}}` has no meaning here",
                did_you_mean(name, known, _declare(name, known)),
                at_key,
            )


def _of_items(task: _Task, known: Sequence[str]) -> Iterator[_Problem]:
    """What is wrong with the items of a task whose first item has the known names."""
    for number, item in enumerate(task.items or ()):
        if set(item) != set(known):
            yield _Problem(
                (KEY, number),
                "job/for-each-names",
                f"this item names {_listed(item)}, and the first one {_listed(known)}",
                "give every item the same names",
            )
    text = str({key: each for key, each in task.values.items() if key != KEY})
    for name in known:
        if f"{{{name}}}" not in text and f"{{'{name}': None}}" not in text:
            yield _Problem(
                (KEY,),
                "job/for-each-unused",
                f"`{{{name}}}` is not used in the task, so all its items would do the same",
                f"write `{{{name}}}` where the item belongs, in a query, path or name",
            )


def _declare(name: str, known: Sequence[str]) -> str:
    if known:
        return f"the items have {_listed(known)}"
    word = name if _BIND_NAME.fullmatch(name) else "object"
    return f"declare it: `for_each: {{{word}: [Account, Contact]}}`"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)

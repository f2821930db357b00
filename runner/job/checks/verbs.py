"""Whether each task has exactly one verb, told before the schema has its say.

Works on plain values, since without a verb there is no telling which kind of task it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from runner.diagnostics import Diagnostic
from runner.job.model import DECLARED_VERBS, Origin, Verb
from runner.job.partial_job import as_list
from runner.suggest import closest, in_words

_VERBS = list(DECLARED_VERBS)
_OTHER_WORDS = {
    "insert": Verb.CREATE,
    "add": Verb.CREATE,
    "select": Verb.QUERY,
    "soql": Verb.QUERY,
    "export": Verb.QUERY,
    "remove": Verb.DELETE,
}


def check(values: Mapping[str, Any], origin: Origin) -> Iterator[Diagnostic]:
    """Find tasks with no verb or several."""
    for index, task in enumerate(as_list(values.get("tasks"))):
        if not isinstance(task, Mapping):
            continue
        present = [verb for verb in task if verb in _VERBS]
        if not present:
            yield _none(task, index, origin)
        elif len(present) > 1:
            yield _several(present, index, origin)


def _none(task: Mapping[str, Any], index: int, origin: Origin) -> Diagnostic:
    path = ("tasks", index)
    for key in task:
        meant = _OTHER_WORDS.get(key) or (closest(key, _VERBS) if key != "deleted" else None)
        if meant:
            message = f"`{key}` is no verb"
            hint = f"did you mean `{meant}`?"
            at = origin.diagnose((*path, key), "job/no-verb", message, help=hint, at_key=True)
            return _of_task(at, path)
    hint = f"say what it does and to which sObject: {in_words(_VERBS)}"
    return origin.diagnose(path, "job/no-verb", "this task has no verb", help=hint, at_key=True)


def _several(present: list[str], index: int, origin: Origin) -> Diagnostic:
    path = ("tasks", index)
    message = f"this task has {len(present)} verbs: {in_words(present, 'and')}"
    hint = "make a task of each"
    at = origin.diagnose((*path, present[1]), "job/two-verbs", message, help=hint, at_key=True)
    return _of_task(at, path)


def _of_task(found: Diagnostic, path: tuple[str | int, ...]) -> Diagnostic:
    """The same problem, standing for the whole task: nothing else can be said of it."""
    return replace(found, path=path)

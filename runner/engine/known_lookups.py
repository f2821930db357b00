"""What a run has looked up already, so that its tasks do not ask the org for it again.

Answers count until a task writes the object. Those that hang on other objects too, by a parent or
a formula, are not kept. Knows files of records. Knows nothing of how the org is asked.
"""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Self

from msgspec import Struct, field

from runner.files import link_or_copy, private_folder, unwritable
from runner.job.model import Verb
from runner.job.soql import masked

if TYPE_CHECKING:
    from runner.salesforce.described import ObjectDescribe
    from runner.tables.staging.reference_lookup import ReferenceLookup

_WITH = {"account": ("contact",)}
"""Objects whose records are written with those of another: a person account has a contact."""
_NAMES = re.compile(r"[A-Za-z_][\w.]*", re.ASCII)


class Place(Struct, frozen=True):
    """Where records are looked up."""

    sobject: str
    fields: tuple[str, ...]
    condition: str

    def is_its_own(self, described: ObjectDescribe) -> bool:
        """Whether only writes of its object change what is found."""
        names = {*self.fields, *_NAMES.findall(masked(self.condition))}
        known = [described.field(name) for name in names]
        has_parents = any("." in name for name in names)
        return not has_parents and not any(each and each.calculated for each in known)


class Answers(Struct):
    """What is known of one place."""

    asked: list[Path] = field(default_factory=list)
    """Files of the keys that were looked up."""
    found: list[tuple[Path, bool]] = field(default_factory=list)
    """CSV files of records, and whether they have a header."""
    is_whole: bool = False
    """Whether they are all records that there are."""


class KnownLookups:
    """The answers of one run, which its tasks share; their files are gone when the block ends."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = Lock()
        self._answers: dict[Place, Answers] = {}
        self._writes: Counter[str] = Counter()
        self._files = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def tell(self, place: Place, lookup: ReferenceLookup) -> bool:
        """Give a lookup what is known; whether that is all there is."""
        with self._lock:
            known = self._answers.get(place, Answers())
            asked, found = list(known.asked), list(known.found)
        for file, header in found:
            lookup.add_file(file, header=header)
        lookup.leave_out(asked)
        return known.is_whole

    def listen(self, place: Place, lookup: ReferenceLookup) -> Listener:
        """Pass the records that are found on to a lookup, and remember them."""
        with self._lock:
            return Listener(self, place, lookup, self._written(place.sobject))

    @contextmanager
    def writing(self, sobject: str, verb: Verb) -> Iterator[None]:
        """Forget what a write may change, and what is looked up until it ends."""
        self._forget(sobject, verb)
        try:
            yield
        finally:
            self._forget(sobject, verb)

    def _forget(self, sobject: str, verb: Verb) -> None:
        """Forget the records of an object; of all if some are deleted, which takes children too."""
        with self._lock:
            gone = {sobject.lower(), *_WITH.get(sobject.lower(), ())}
            if verb not in {Verb.CREATE, Verb.UPDATE, Verb.UPSERT}:
                self._answers.clear()
                self._writes["*"] += 1
            for each in [each for each in self._answers if each.sobject.lower() in gone]:
                del self._answers[each]
            self._writes.update(gone)

    def keep(self, listener: Listener, *, is_whole: bool) -> None:
        """Remember what a lookup has found, unless its object was written meanwhile."""
        asked = self.new_file()
        listener.lookup.save_keys(asked)
        with self._lock:
            if self._written(listener.place.sobject) == listener.written:
                known = self._answers.setdefault(listener.place, Answers())
                known.asked.append(asked)
                known.found += listener.files
                known.is_whole |= is_whole

    def new_file(self) -> Path:
        """Name a file that is not there yet."""
        with self._lock:
            self._files += 1
            return private_folder(self._folder) / f"{self._files}.csv"

    def _written(self, sobject: str) -> int:
        return self._writes[sobject.lower()] + self._writes["*"]


class Listener(Struct, frozen=True):
    """A lookup, and the files of the records that it gets."""

    known: KnownLookups
    place: Place
    lookup: ReferenceLookup
    written: int
    files: list[tuple[Path, bool]] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        """For a file of records."""
        return self.lookup.folder

    @property
    def count(self) -> int:
        """How many keys there are to ask for."""
        return self.lookup.count

    def pages_of_keys(self) -> Iterator[list[str]]:
        """The keys, some at a time."""
        return self.lookup.pages_of_keys()

    def add_file(self, file: Path, *, header: bool = True) -> None:
        """Pass a file on, and keep it."""
        kept = self.known.new_file()
        try:
            link_or_copy(file, kept)
        except OSError as error:
            raise unwritable(kept, error) from error
        self.files.append((kept, header))
        self.lookup.add_file(file, header=header)

"""Orgs of the same objects copy the tables that the first of them laid out, two thirds of a start.

Knows how the local org lays a store out, and that it does so only in a new file. Knows no test.
"""

import json
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from runner.local_org import app, store
from runner.local_org.catalog.standard import standard_catalog

_extend, _lay_out = app.extend, store.Store._lay_out  # noqa: SLF001 - the part that is replaced
_catalogs = {}
"""By what is declared."""
_contents = {}
"""By catalog: it, and a store file without records."""
_fingerprint = store._fingerprint  # noqa: SLF001 - the part that is replaced
_fingerprints = {}
"""By catalog, those in `_contents`."""


def extended(base, declared, known_prefixes=None):
    """The same catalog for the same objects, if its org is new."""
    if known_prefixes or base is not standard_catalog():
        return _extend(base, declared, known_prefixes)
    try:
        written = json.dumps(declared)
    except TypeError:  # what YAML has and JSON has not, such as dates
        return _extend(base, declared, known_prefixes)
    if written not in _catalogs:
        _catalogs[written] = _extend(base, declared)
    return _catalogs[written]


def lay_out(new):
    """Copy the tables into a file that is not there yet, from the second org with a catalog on."""
    known = id(new.catalog)
    if new.path.exists() or known not in _contents:
        _contents.setdefault(known, (new.catalog, None))
        return _lay_out(new)
    new.path.write_bytes(_content(new.catalog))
    with new.writing() as connection:
        return store._catalog_changed(connection, new.catalog)  # noqa: SLF001


def prepare(declared=None):
    """Have the tables of what is declared, or of a plain org, for forks."""
    standard = standard_catalog()
    catalog = extended(standard, declared) if declared else standard
    _content(catalog)
    fingerprint(catalog)


def fingerprint(catalog):
    """Computed once for a catalog that is kept."""
    if id(catalog) not in _contents:
        return _fingerprint(catalog)
    if id(catalog) not in _fingerprints:
        _fingerprints[id(catalog)] = _fingerprint(catalog)
    return _fingerprints[id(catalog)]


def _content(catalog):
    """A store file that has the tables, but was not opened with the catalog yet."""
    _, content = _contents.get(id(catalog), (catalog, None))
    if content is None:
        with TemporaryDirectory() as folder:
            path = Path(folder) / app.STORE_NAME
            with closing(store.connect(path)) as connection:
                store._lay_out(connection, catalog)  # noqa: SLF001
            content = path.read_bytes()
        _contents[id(catalog)] = (catalog, content)
    return content


def copy_layouts():
    """From now on, in this process and its forks."""
    app.extend = extended
    store.Store._lay_out = lay_out  # noqa: SLF001
    store._fingerprint = fingerprint  # noqa: SLF001

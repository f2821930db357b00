"""Rows on this machine, carried by DuckDB, which is loaded when it is first used.

Loading it takes a tenth of a second, and a query whose rows are passed through never needs it.
"""

from __future__ import annotations

import sys
from importlib.util import LazyLoader, find_spec, module_from_spec


def _load_when_used(name: str) -> None:
    spec = find_spec(name)
    if name in sys.modules or spec is None or spec.loader is None:
        return
    spec.loader = LazyLoader(spec.loader)
    sys.modules[name] = module = module_from_spec(spec)
    spec.loader.exec_module(module)


_load_when_used("duckdb")

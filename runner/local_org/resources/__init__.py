"""The resources of the REST API, one module each; a module lists its `ROUTES`.

A resource reads the request, calls the org's parts and builds the response. It knows no socket.
Every module of this package that has `ROUTES` is served.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from runner.local_org.http.messages import Route


def _collected() -> tuple[Route, ...]:
    modules = [import_module(f"{__name__}.{each.name}") for each in iter_modules(__path__)]
    return tuple(route for module in modules for route in getattr(module, "ROUTES", ()))


ROUTES: tuple[Route, ...] = _collected()

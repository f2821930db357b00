"""Whether what a test does is done by compiled functions."""

from threading import local

from pytest import MonkeyPatch  # noqa: PT013 - hypothesis takes no fixture

from runner import luajit


def compile_always(patch: MonkeyPatch) -> None:
    """However few the bytes are."""
    patch.setattr(luajit, "PAYS_FROM", 0)


def compile_never(patch: MonkeyPatch) -> None:
    """Do it in Python, also where this thread has functions already."""
    patch.setattr(luajit, "PAYS_FROM", 1 << 60)
    patch.setattr(luajit, "_of_thread", local())

"""The line that says how far `runner test` is."""

from io import StringIO

from runner.cli.test_progress import Progress


class Terminal(StringIO):
    def isatty(self):
        return True


def shown(stream, total):
    progress = Progress(stream, total)
    progress.show(0, 0)
    progress.show(1_000, 2)
    progress.clear()
    return stream.getvalue().split("\r\x1b[2K")


def test_the_line_is_written_over_and_removed(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    wanted = ["", "0 of 1,200 tests", "1,000 of 1,200 tests, 2 not passed", ""]
    assert shown(Terminal(), 1_200) == wanted


def test_there_is_none_without_a_terminal_or_for_one_test(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    assert shown(StringIO(), 1_200) == shown(Terminal(), 1) == [""]
    monkeypatch.setenv("TERM", "dumb")
    assert shown(Terminal(), 1_200) == [""]

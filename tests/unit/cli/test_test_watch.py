"""The watch of tests: which run again after which change."""

import pytest

from runner.cli.test_watch import polled, watch
from runner.errors import UsageError
from runner.runs.job_test_inputs import changed_since, stamps_of
from runner.runs.job_tests import loaded

CONNECTION = "connection: {environment: local, org_file: org.yaml}"
TASKS = "tasks: [{name: all, create: Account, from: rows.csv, fields: {Name: name}}]"
TESTS = """\
version: 1
tests:
  - {name: own, given: {sources: {all: own.csv}}, expect: {exit: 0}}
  - {name: shared, expect: {exit: 0}}
"""


class Folder:
    """A folder of two jobs with tests, and what happened while they were watched."""

    def __init__(self, path):
        self.path = path
        self.ran = []
        self.write("org.yaml", "version: 1\n")
        for name in ("rows.csv", "own.csv"):
            self.write(name, "name\nA\n")
        for name in ("a", "b"):
            self.write(f"{name}.yaml", f"version: 1\n{CONNECTION}\n{TASKS}\n")
        self.write("a.test.yaml", TESTS)
        self.write("b.test.yaml", "version: 1\ntests: [{name: b, expect: {exit: 0}}]\n")

    def write(self, name, text):
        (self.path / name).parent.mkdir(exist_ok=True)
        (self.path / name).write_text(text, encoding="utf-8")

    def found(self):
        found = sorted(self.path.rglob("*.test.yaml"))
        if not found:
            raise UsageError("There is no test.")
        return found

    def watch(self, *changes):
        """What ran first, and after each change."""
        left = list(changes)

        def changed(stamps):
            while left:
                left.pop(0)()
                if found := changed_since(stamps):
                    return found
                self.ran.append([])  # the watch goes on waiting
            raise KeyboardInterrupt

        def run(tests, broken):
            self.ran.append([each.name for each in tests] + [str(each.status) for each in broken])

        with pytest.raises(KeyboardInterrupt):
            watch(self.found, loaded, run, changed)
        return self.ran


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


@pytest.mark.parametrize(
    ("file", "text", "due"),
    [
        ("own.csv", "name\nB\n", ["own"]),
        ("rows.csv", "name\nLonger\n", ["own", "shared", "b"]),
        ("org.yaml", "version: 1\nobjects: {}\n", ["own", "shared", "b"]),
        ("b.yaml", "version: 1\n", ["b"]),
        (
            "a.test.yaml",
            f"{TESTS}  - {{name: new, expect: {{exit: 0}}}}\n",
            ["own", "shared", "new"],
        ),
        ("a.test.yaml", "version: 1\n", ["broken"]),
        ("other.csv", "name\n", []),
    ],
)
def test_a_change_is_about_the_tests_that_read_the_file(folder, file, text, due):
    first, *second = folder.watch(lambda: folder.write(file, text))
    assert first == ["own", "shared", "b"]
    assert second == ([due] if due else [])


def test_tests_come_and_go(folder):
    tests = [folder.path / f"{name}.test.yaml" for name in ("a", "b")]

    def delete():
        for each in tests:
            each.unlink()

    assert folder.watch(
        delete,
        lambda: folder.write("b.test.yaml", "version: 1\ntests: [{name: c, expect: {exit: 0}}]\n"),
    ) == [["own", "shared", "b"], ["broken", "broken"], ["c"]]


def test_a_file_is_seen_to_change_by_asking_again(folder):
    file = folder.path / "rows.csv"
    stamps = stamps_of([file, folder.path / "nix"])
    assert changed_since(stamps) == frozenset()
    folder.write("rows.csv", "name\nLonger\n")
    assert polled(pytest.fail, stamps) == {file}


def test_a_change_is_told_by_its_file_without_the_folder_of_it(tmp_path, capsys):
    folder = Folder(tmp_path)
    folder.watch(lambda: folder.write("c.test.yaml", "version: 1\njob: a.yaml\ntests: []\n"))
    assert f"changed: {tmp_path.name}\n" in capsys.readouterr().err

    def replaced():
        (tmp_path / "rows.csv").rename(tmp_path / "old.csv")
        folder.write("rows.csv", "name\nB\n")

    folder.watch(replaced)
    assert "changed: rows.csv\n" in capsys.readouterr().err

"""Which files are jobs, and which jobs are meant."""

from pathlib import Path

import pytest

from runner.cli.job_files import job_files
from runner.cli.terminal import Exit
from runner.cli.validate import validate
from runner.errors import UsageError

JOB = "version: 1\nconnection: {environment: local}\ntasks: []\n"
FILES = {
    "b.yaml": JOB + "tags: [nightly, crm]\n",
    "a.yml": JOB + "tags: [hourly]\n",
    "sub/c.yaml": JOB,
    "misspelt.yaml": "version: 1\nconnection: {environment: local}\ntaks: []\n",
    "broken.yaml": "version: 1\ntasks:\n  - {name: [\n",
    "connection.yaml": "environment: sandbox\n",
    "org.yaml": "version: 1\nobjects: {}\n",
    "other.yaml": "- a\n- list\n",
    "broken-other.yaml": "jobs: [\n",
    ".hidden/d.yaml": JOB,
    "notes.txt": "tasks: none\n",
}


@pytest.fixture
def folder(tmp_path):
    for name, text in FILES.items():
        file = tmp_path / "jobs" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path / "jobs"


def named(folder, *given, tags=None):
    found = job_files([folder / each for each in given], tags)
    return [str(each.relative_to(folder)) for each in found]


def test_a_folder_means_its_jobs_in_the_order_of_their_names(folder):
    assert named(folder, "") == [
        "a.yml",
        "b.yaml",
        "broken.yaml",
        "misspelt.yaml",
        "sub/c.yaml",
    ]


@pytest.mark.parametrize(
    ("pattern", "files"),
    [
        ("*.yml", ["a.yml"]),
        ("**/c*.yaml", ["sub/c.yaml"]),
        ("[bm]*", ["b.yaml", "broken.yaml", "misspelt.yaml"]),
    ],
)
def test_a_pattern_means_the_jobs_that_it_matches(folder, pattern, files):
    assert named(folder, pattern) == files


def test_a_file_is_taken_as_it_is_given(folder):
    assert named(folder, "connection.yaml", "missing.yaml") == ["connection.yaml", "missing.yaml"]
    (folder / "x[1].yaml").write_text(JOB)
    assert named(folder, "x[1].yaml") == ["x[1].yaml"]


def test_a_job_of_several_places_is_found_once_and_one_given_twice_stays_an_error(folder):
    assert named(folder, "sub/c.yaml", "sub", "*/c.yaml") == ["sub/c.yaml"]
    assert named(folder, "sub/c.yaml", "sub/c.yaml") == ["sub/c.yaml", "sub/c.yaml"]


def test_links_to_a_job_are_no_further_jobs(folder):
    (folder / "0-link.yaml").symlink_to("b.yaml")
    (folder / "loop").symlink_to(folder)
    (folder / "gone.yaml").symlink_to("nowhere")
    assert named(folder, "**/[0b]*.yaml") == ["b.yaml", "broken.yaml"]
    assert named(folder, "sub/c.yaml", "", "loop")[:2] == ["sub/c.yaml", "a.yml"]
    assert named(folder, "0-link.yaml") == ["0-link.yaml"]


@pytest.mark.parametrize("empty", ["nothing-*.yaml", "empty"])
def test_a_place_without_jobs_is_an_error(folder, empty):
    (folder / "empty").mkdir()
    with pytest.raises(UsageError, match=r"no job in .*(nothing|empty)"):
        named(folder, empty)


def test_tags_choose_jobs_and_leave_out_none_that_cannot_be_read(folder):
    assert named(folder, "", tags=["crm"]) == ["b.yaml", "broken.yaml"]
    assert named(folder, "", tags=["crm", "hourly"]) == ["a.yml", "b.yaml", "broken.yaml"]


def test_a_tag_that_no_job_has_is_an_error_with_those_that_exist(folder):
    with pytest.raises(UsageError) as raised:
        named(folder, "", tags=["nightli"])
    assert raised.value.message == "No job has the tag `nightli`."
    assert "nightly" in raised.value.hint
    with pytest.raises(UsageError) as raised:
        named(folder, "sub", tags=["nightly"])
    assert raised.value.hint == "No job has a tag."


def test_the_folder_of_today_is_a_folder_like_any_other(folder, monkeypatch):
    monkeypatch.chdir(folder)
    assert job_files([Path()])[0] == Path("a.yml")


def test_files_that_vanish_while_a_folder_is_read_are_no_jobs(folder, monkeypatch):
    """As the temporary files of an editor do: between a list of the folder and a look into them."""
    seen = Path.is_file

    def gone(file):
        was_there = seen(file)
        if file.name == "b.yaml":
            file.unlink()
        return was_there

    monkeypatch.setattr(Path, "is_file", gone)
    assert "b.yaml" not in named(folder, ".")


def test_a_file_that_vanishes_before_it_is_validated_has_no_problem_unless_it_was_named(
    folder, monkeypatch, capsys
):
    kept, lost = folder / "a.yml", folder / "b.yaml"
    lost.unlink()
    kept.write_text(JOB.replace("[]", "[{name: a, query: SELECT Id FROM Account, to: a.csv}]"))
    monkeypatch.setattr("runner.cli.validate.job_files", lambda *_: [kept, lost])
    validate([folder])
    assert capsys.readouterr().out == f"{kept}: valid\n"
    with pytest.raises(Exit):
        validate([kept, lost])
    assert "b.yaml" in capsys.readouterr().out

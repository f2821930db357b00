"""The state of one machine in a file for another: what is moved, and what is refused."""

import hashlib
import sqlite3
import stat
import zipfile
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from runner.errors import ExitCode, LockHeldError, UsageError
from runner.outcome import RunOutcome, TaskOutcome, TaskStatus
from runner.runs.sealed_zip import add_seal
from runner.runs.state_file import export_state, import_state
from runner.state.ledger import Ledger
from runner.state.ledger_file import LAYOUTS
from runner.state.locks import run_lock
from runner.state.managed import Event, ManagedChange, MirrorKey
from runner.state.paths import StateFolder
from runner.state.run_records import PartRecord
from runner.state.watermarks import Extracted, Watermark

START = datetime(2026, 1, 31, 2, 30, tzinfo=UTC)
JOB = Path("/there/jobs/accounts.yaml")
DONE, UNFINISHED, DEAD = "20260131-023000-aaaa", "20260201-023000-bbbb", "20260202-023000-cccc"
MARK = Watermark("accounts", JOB, "q", "00D1", "0" * 64, "S", START, START, START, DONE)


@pytest.fixture
def there(tmp_path):
    """A state folder with a run that is done, one that can be resumed, and one that died."""
    state = StateFolder(tmp_path / "there").create()
    with Ledger(state.ledger) as ledger:
        for number, (run_id, code) in enumerate(
            [(DONE, ExitCode.DONE), (UNFINISHED, ExitCode.TEMPORARY), (DEAD, None)]
        ):
            add_run(state, ledger, run_id, START + timedelta(days=number), code)
        mark(ledger, tmp_path)
        ids = tmp_path / "ids"
        ids.write_text("001000000000001\n001000000000002\n")
        ledger.managed.note(ManagedChange(MirrorKey(JOB, "m", "00D1"), Event.CREATED, ids))
    with closing(sqlite3.connect(state.ledger)) as connection, connection:
        connection.execute("UPDATE runs SET pid = 99999999, began = 'x' WHERE state = 'running'")
    connection.close()
    return state


@pytest.fixture
def here(tmp_path):
    return StateFolder(tmp_path / "here")


@pytest.fixture
def file(tmp_path, there):
    export_state(there, tmp_path / "state.zip")
    return tmp_path / "state.zip"


def add_run(state, ledger, run_id, started, code):
    folder = state.run(run_id)
    ledger.start_run(
        run_id, job="accounts", job_file=JOB, job_sha256="1", started=started, folder=folder
    )
    ledger.start_task(run_id, "load", position=0, verb="create", sobject="Account")
    (folder / "load/rows").mkdir(parents=True)
    (folder / "load/empty").mkdir()
    (folder / "load/rows/chunk-0.csv").write_text(f"Name\n{run_id}\n")
    ledger.record_part(run_id, "load", PartRecord(1, "sent"))
    if code is not None:
        task = TaskOutcome(
            "load",
            "create",
            "Account",
            TaskStatus.DONE if code is ExitCode.DONE else TaskStatus.FAILED,
            exit_code=code,
            results=folder / "load",
        )
        final = code is ExitCode.DONE
        ledger.finish_task(run_id, task, final=final)
        ledger.finish_run(
            RunOutcome(run_id, "accounts", JOB, started, started, (task,), exit_code=code),
            final=final,
        )


def mark(ledger, tmp_path, until=START):
    delivered = tmp_path / "delivered.csv"
    delivered.write_text("001000000000001AAA,2026\n")
    ledger.watermarks.move(Extracted(replace(MARK, until=until), delivered))


def runs_of(state):
    with Ledger(state.ledger) as ledger:
        return {run.run_id: ledger.run(run.run_id) for run in ledger.runs()}


def files_of(state):
    return {
        str(each.relative_to(state.root)): each.read_bytes()
        for each in state.runs.rglob("*")
        if each.is_file()
    }


def altered(file, change):
    """The file with other members, and a digest that fits them."""
    with zipfile.ZipFile(file) as archive:
        members = {each.filename: archive.read(each) for each in archive.infolist()}
    to = file.with_name("altered.zip")
    with zipfile.ZipFile(to, "w") as archive:
        for name, content in change(members).items():
            archive.writestr(name, content)
    add_seal(to, "runner-state", 1)
    return to


def test_history_watermarks_and_unfinished_runs_move(there, here, file):
    done = import_state(here, file)
    assert done.added.runs == (DONE, UNFINISHED, DEAD)
    assert done.unfinished == (UNFINISHED, DEAD)
    assert (done.added.watermarks, done.added.mirrors) == (1, 1)
    runs = runs_of(here)
    assert set(runs) == {DONE, UNFINISHED, DEAD}
    assert all(runs[each].is_unfinished for each in (UNFINISHED, DEAD))
    assert runs[UNFINISHED].folder == here.run(UNFINISHED)
    [task] = runs[UNFINISHED].tasks
    assert task.outcome.results == here.run(UNFINISHED) / "load"
    assert [each.state for each in task.parts] == ["sent"]
    kept = {name: text for name, text in files_of(there).items() if DONE not in name}
    assert files_of(here) == kept
    assert (here.run(DEAD) / "load/empty").is_dir()
    with Ledger(here.ledger) as ledger:
        assert ledger.watermarks.all() == [MARK]
        ledger.watermarks.write_delivered(MARK, here.root / "delivered")
        assert (here.root / "delivered").read_text() == "001000000000001AAA,2026\n"
        assert ledger.managed.write_ids(MirrorKey(JOB, "m", "00D1"), here.root / "ids") == 2


def test_results_of_finished_runs_move_if_asked_for(there, here, tmp_path):
    export_state(there, tmp_path / "all.zip", results=True)
    import_state(here, tmp_path / "all.zip")
    assert files_of(here) == files_of(there)


def test_only_its_owner_may_read_the_file_and_what_is_imported(here, file):
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    import_state(here, file)
    modes = {stat.S_IMODE(each.stat().st_mode) for each in here.runs.rglob("*") if each.is_file()}
    assert modes == {0o600}


def test_job_files_in_another_folder_are_found(here, file):
    import_state(here, file, {"/there/jobs/": "/home/ci/jobs"})
    moved = Path("/home/ci/jobs/accounts.yaml")
    assert {run.job_file for run in runs_of(here).values()} == {moved}
    with Ledger(here.ledger) as ledger:
        [found] = ledger.watermarks.all()
        assert found.job_file == moved
        ledger.watermarks.write_delivered(found, here.root / "delivered")
        assert (here.root / "delivered").stat().st_size
        assert ledger.managed.write_ids(MirrorKey(moved, "m", "00D1"), here.root / "ids") == 2


def test_the_same_again_is_skipped_also_where_it_was_exported(there, here, file):
    import_state(here, file)
    for state in (here, there):
        before = files_of(state)
        done = import_state(state, file)
        assert (done.added.runs, done.added.known) == ((), (DONE, UNFINISHED, DEAD))
        assert (done.added.watermarks, done.unfinished) == (0, ())
        assert files_of(state) == before


def test_what_is_here_and_not_the_same_is_refused_as_a_whole(tmp_path, there, here, file):
    import_state(here, file)
    with Ledger(there.ledger) as ledger:
        ledger.close_run(UNFINISHED)
        mark(ledger, tmp_path, until=START + timedelta(days=1))
        add_run(there, ledger, "20260203-023000-dddd", START, ExitCode.TEMPORARY)
    export_state(there, file)
    with pytest.raises(UsageError) as error:
        import_state(here, file)
    assert (
        f"already has run {UNFINISHED}, the watermark of task q of {JOB}, which"
        in error.value.message
    )
    assert set(runs_of(here)) == {DONE, UNFINISHED, DEAD}
    assert not here.run("20260203-023000-dddd").exists()


def test_a_folder_that_no_run_has_is_not_overwritten(here, file):
    here.create()
    here.run(DEAD).mkdir()
    (here.run(DEAD) / "own").write_text("rows")
    with pytest.raises(UsageError, match="has other files"):
        import_state(here, file)
    assert runs_of(here) == {}
    assert (here.run(DEAD) / "own").read_text() == "rows"


def test_an_import_that_was_killed_is_done_again(here, file):
    import_state(here, file)  # and then it is as if the ledger had not been written
    for each in here.root.glob("ledger.sqlite*"):
        each.unlink()
    (here.root / ".import-stray").mkdir()
    assert import_state(here, file).added.runs == (DONE, UNFINISHED, DEAD)
    assert not list(here.root.glob(".import-*"))


@pytest.mark.parametrize("where", ["there", "here"])
def test_a_run_in_progress_is_waited_for(request, there, here, file, where):
    state = request.getfixturevalue(where)
    with (
        run_lock(state.locks, Path("other.yaml"), None, run_id="20260131-1-1"),
        pytest.raises(LockHeldError, match="Run 20260131-1-1 is in progress"),
    ):
        export_state(there, file) if where == "there" else import_state(here, file)


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:-1],
        lambda content: content[: len(content) // 2],
        lambda _content: b"",
        lambda content: content[:500] + b"?" + content[501:],
        lambda content: content + b"more",
        lambda content: b"PK" + content[:10],
    ],
)
def test_a_damaged_file_is_refused(here, file, damage):
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(UsageError):
        import_state(here, file)
    assert not here.ledger.exists()


BAD_MEMBERS = [
    f"runs/{DEAD}/../../ledger.sqlite",
    f"runs/{DEAD}/a/../../../x",
    "/etc/passwd",
    "../x",
    "runs/x",
    f"runs/{DEAD}//x",
    f"runs/{DEAD}/a\\..\\x",
    "locks/x.json",
    "runs/20990101-000000-eeee/load/rows.csv",
]


@pytest.mark.parametrize("name", BAD_MEMBERS)
def test_a_member_that_is_no_file_of_a_run_is_refused(tmp_path, here, file, name):
    bad = altered(file, lambda members: {**members, name: b"x"})
    before = {each for each in tmp_path.rglob("*") if here.root not in each.parents}
    with pytest.raises(UsageError, match="is not an exported state"):
        import_state(here, bad)
    assert {each for each in tmp_path.rglob("*") if here.root not in each.parents} - before <= {
        here.root
    }
    assert files_of(here) == {}


def test_a_symbolic_link_is_refused(here, file):
    link = zipfile.ZipInfo(f"runs/{DEAD}/load/link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    bad = altered(file, lambda members: {**members, link: b"/etc/passwd"})
    with pytest.raises(UsageError, match="is not a file of a run"):
        import_state(here, bad)


@pytest.mark.parametrize("content", [b"SQLite format 3\0 and more", b""])
def test_another_database_is_refused_and_the_ledger_stays(here, file, content):
    import_state(here, file)
    before = runs_of(here)
    bad = altered(file, lambda members: {**members, "ledger.sqlite": content})
    if content:
        with pytest.raises(UsageError, match="is not an exported state"):
            import_state(here, bad)
    assert runs_of(here) == before
    assert [each.name for each in here.root.glob("*damaged*")] == []


def test_a_ledger_with_a_trigger_is_refused(tmp_path, here, file):
    def add_trigger(members):
        database = tmp_path / "other.sqlite"
        database.write_bytes(members["ledger.sqlite"])
        with closing(sqlite3.connect(database)) as connection, connection:
            connection.execute("CREATE TRIGGER t AFTER UPDATE ON runs BEGIN SELECT 1; END")
        connection.close()
        return {**members, "ledger.sqlite": database.read_bytes()}

    with pytest.raises(UsageError, match="other tables"):
        import_state(here, altered(file, add_trigger))
    assert runs_of(here) == {}


def test_a_newer_release_is_named(here, file):
    newer = altered(
        file,
        lambda members: {
            **members,
            "state.json": members["state.json"].replace(
                f'"layout":{len(LAYOUTS)}'.encode(), b'"layout":999'
            ),
        },
    )
    with pytest.raises(UsageError, match="exported by a newer release"):
        import_state(here, newer)
    whole = file.read_bytes()
    content = whole[: whole.rindex(b"\nrunner-state")]
    digest = hashlib.sha256(content).hexdigest()
    file.write_bytes(content + f"\nrunner-state 2 {digest}\n".encode())
    with pytest.raises(UsageError, match="exported by a newer release"):
        import_state(here, file)


def test_no_other_file_is_replaced(there, tmp_path, file):
    other = tmp_path / "rows.csv"
    other.write_text("Name\nx\n")
    for to in (other, tmp_path):
        with pytest.raises(UsageError, match="is not replaced"):
            export_state(there, to)
    assert other.read_text() == "Name\nx\n"
    export_state(there, file)

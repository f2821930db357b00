"""The database of a state that machines share: odd servers, users, texts and moments."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path

import pytest
import sqlalchemy
from msgspec.structs import replace

from runner.errors import ExitCode, StateError, StorageError
from runner.state.run_records import PartRecord
from runner.state.store import open_state
from tests.postgresql import USER, as_nobody, url_of

from .test_stores import FIRST, SECOND, begin

JOB = Path("/jobs/a.yaml")
THREADS = 6
END_CONNECTIONS = (
    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
    "WHERE application_name = 'sfrunner'"
)


def run_sql(postgres, *statements):
    engine = sqlalchemy.create_engine(
        url_of(postgres), poolclass=sqlalchemy.NullPool, isolation_level="AUTOCOMMIT"
    )
    with engine.connect() as connection:
        for each in statements:
            connection.exec_driver_sql(each)


def with_database(state, old, new):
    """A state with another text in the address of its database."""
    address = state.shared
    assert old in address.database
    return replace(state, shared=replace(address, database=address.database.replace(old, new)))


def test_processes_that_start_at_once_make_the_tables_once(shared_at):
    states, together = [shared_at(f"m{n}") for n in range(THREADS)], threading.Barrier(THREADS)

    def start(state):
        together.wait()
        with open_state(state) as store:
            begin(store.ledger, state.root.parent.name)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(start, states))
    with open_state(shared_at()) as store:
        assert len(store.ledger.runs()) == THREADS


def test_a_user_may_own_an_empty_schema_and_create_none(shared_at, postgres):
    state = shared_at()
    schema = state.shared.schema
    run_sql(
        postgres,
        f"CREATE ROLE of_{schema} LOGIN",
        f"CREATE SCHEMA {schema} AUTHORIZATION of_{schema}",
    )
    with open_state(with_database(state, USER, f"of_{schema}")) as store:
        begin(store.ledger)
        assert store.ledger.run("last").run_id == FIRST


def test_a_user_who_may_create_no_schema_is_told(shared_at, postgres):
    state = shared_at()
    run_sql(postgres, f"CREATE ROLE of_{state.shared.schema} LOGIN")
    with (
        pytest.raises(StorageError, match="cannot be used: permission denied for database"),
        open_state(with_database(state, USER, f"of_{state.shared.schema}")),
    ):
        pass


def test_a_wrong_password_is_told_without_it(shared_at, postgres):
    state = shared_at()
    role = f"of_{state.shared.schema}"
    rules = Path(postgres, "cluster", "pg_hba.conf")
    rules.write_text(f"local all {role} scram-sha-256\n{rules.read_text()}")
    run_sql(postgres, f"CREATE ROLE {role} LOGIN PASSWORD 'right'", "SELECT pg_reload_conf()")
    with (
        pytest.raises(StorageError, match="password authentication failed for user") as caught,
        open_state(with_database(state, f"{USER}:pass-word", f"{role}:pass-word")),
    ):
        pass
    assert "pass-word" not in caught.value.message


def test_a_library_of_the_store_that_is_missing_is_named(shared_at, monkeypatch):
    monkeypatch.setitem(sys.modules, "s3fs", None)
    loaded = import_module("fsspec.registry")._registry  # noqa: SLF001 - by other tests
    monkeypatch.delitem(loaded, "s3", raising=False)
    state = shared_at()
    with (
        open_state(replace(state, shared=replace(state.shared, files="s3://states/crm"))) as store,
        pytest.raises(StateError, match="s3://states/crm needs a library") as caught,
    ):
        store.ledger.files.check()
    assert caught.value.hint == "Install it: pip install s3fs"


def test_a_schema_of_another_user_is_refused(shared_at, postgres):
    state = shared_at()
    schema = state.shared.schema
    run_sql(postgres, f"CREATE ROLE of_{schema} LOGIN")
    with open_state(state):
        pass
    said = f"The user of_{schema} may not use the schema {schema}"
    with (
        pytest.raises(StateError, match=said),
        open_state(with_database(state, USER, f"of_{schema}")),
    ):
        pass


def test_texts_that_postgresql_does_not_have_are_stored_as_near_as_can_be(shared_at):
    with open_state(shared_at()) as store:
        begin(store.ledger)
        store.ledger.start_task(FIRST, "a", position=0, verb="upsert", sobject="Account")
        long = "x" * 3_000_000
        for part, text in enumerate(["a\x00b", "a\ud83db", "\U0001f600", long]):
            store.ledger.record_part(FIRST, "a", PartRecord(part, "answered", results=text))
        parts = store.ledger.run(FIRST).tasks[0].parts
        assert [each.results for each in parts] == ["a\ufffdb", "a\ufffdb", "\U0001f600", long]


def test_a_connection_that_the_server_has_closed_is_opened_again(shared_at, postgres, monkeypatch):
    monkeypatch.setattr("runner.state.shared.database._IDLE_SECONDS", -1.0)
    state = shared_at()
    with open_state(state) as store:
        begin(store.ledger)
        run_sql(postgres, END_CONNECTIONS)
        begin(store.ledger, SECOND)
        assert len(store.ledger.runs()) == 2


def test_a_connection_that_ends_between_two_statements_is_an_error_and_the_next_works(
    shared_at, postgres
):
    state = shared_at()
    with open_state(state) as store:
        begin(store.ledger)

        def change():
            with store.ledger.database.writing():
                store.ledger.close_run(FIRST)
                run_sql(postgres, END_CONNECTIONS)
                begin(store.ledger, SECOND)

        with pytest.raises(StorageError, match=r"cannot be used: .*terminating connection"):
            change()
        (run,) = store.ledger.runs()
        assert not run.final, "all or nothing"
        begin(store.ledger, SECOND)


def test_a_machine_that_is_gone_within_a_transaction_keeps_nobody_waiting(
    shared_at, postgres, monkeypatch
):
    monkeypatch.setattr("runner.state.shared.tables._SILENT_SECONDS", 1)
    here, there = shared_at("a"), shared_at("b")
    with open_state(here) as one, open_state(there) as two, ExitStack() as gone:
        lock = gone.enter_context(one.run_lock(JOB, None, run_id=FIRST))
        gone.enter_context(pytest.raises(StorageError))
        gone.enter_context(one.ledger.database.writing())  # and nothing more is heard of it
        assert lock
        run_sql(
            postgres,
            f"UPDATE {here.shared.schema}.locks SET expires = clock_timestamp(), host = 'gone'",
        )
        with two.run_lock(JOB, None, run_id=SECOND):
            begin(two.ledger)


def test_options_of_the_address_are_used_instead_of_those_of_the_runner(shared_at):
    state = with_database(shared_at(), "?host=", "?application_name=crm&host=")
    with open_state(state) as store, store.ledger.database.reading() as connection:
        row = connection.execute("SELECT current_setting('application_name') AS name", {})
        assert row.fetchone()["name"] == "crm"


@pytest.mark.parametrize("library", ["sqlalchemy.exc", "psycopg"])
def test_a_library_that_is_missing_is_named(shared_at, monkeypatch, library):
    monkeypatch.setitem(sys.modules, library, None)
    with (
        pytest.raises(StateError, match=f"needs the library {library}") as caught,
        open_state(shared_at()),
    ):
        pass
    assert "sfrunner[shared]" in caught.value.hint


@contextmanager
def pooler(postgres, folder):
    """A pooler that gives each transaction a connection of its own."""
    program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip("PgBouncer is not installed")
    settings = Path(folder, "pgbouncer.ini")
    settings.write_text(
        f"[databases]\npostgres = host={postgres} user={USER}\n[pgbouncer]\nauth_type = any\n"
        f"listen_addr =\nunix_socket_dir = {folder}\nlisten_port = 6432\n"
        "pool_mode = transaction\ndefault_pool_size = 4\n"
        "server_round_robin = 1\nserver_reset_query_always = 1\nserver_reset_query = DISCARD ALL\n"
    )
    process = subprocess.Popen(
        [program, settings], stderr=subprocess.PIPE, text=True, **as_nobody()
    )
    for line in process.stderr:
        if "process up" in line:
            break
    try:
        yield folder
    finally:
        process.terminate()
        process.communicate(timeout=30)


def test_a_pooler_may_give_each_transaction_another_connection(shared_at, postgres):
    state = shared_at()
    with pooler(postgres, postgres):
        behind = with_database(state, "?host=", "?port=6432&host=")
        with open_state(behind) as store, store.run_lock(Path("/j"), None, run_id=FIRST):
            for number in range(12):  # more often than the driver waits to prepare statements
                begin(store.ledger, f"run-{number:02}")
        with open_state(behind) as store:
            assert len(store.ledger.runs()) == 12


@pytest.mark.parametrize("option", ["sslmod=require", "connect_timeout=soon"])
def test_an_option_that_the_driver_does_not_know_is_not_tried_again(shared_at, option):
    state = shared_at()
    more = replace(state.shared, database=f"{state.shared.database}&{option}")
    with pytest.raises(StateError) as caught, open_state(replace(state, shared=more)):
        pass
    assert caught.value.exit_code is ExitCode.INVALID
    assert option.partition("=")[0] in caught.value.message
    assert caught.value.hint == "Correct the options in the address."


def test_a_database_that_can_only_be_read_starts_no_run(shared_at):
    state = shared_at()
    with open_state(state):
        pass  # the tables are there
    more = f"{state.shared.database}&options=-c%20default_transaction_read_only%3Don"
    state = replace(state, shared=replace(state.shared, database=more))
    with open_state(state) as store:
        assert store.ledger.runs() == (), "it can be read"
        with pytest.raises(StorageError, match="read-only"):
            store.ledger.check()
        with (
            pytest.raises(StorageError, match="read-only") as caught,
            store.run_lock(JOB, None, run_id=FIRST),
        ):
            pass
    assert caught.value.exit_code is ExitCode.TEMPORARY


@pytest.fixture
def frozen(monkeypatch):
    """A function that freezes the server of a store's connection until the test ends."""
    monkeypatch.setattr("runner.state.shared.watch.TELL_SECONDS", 0.2)
    monkeypatch.setattr("runner.state.shared.watch.END_SECONDS", 0.4)
    pids = []

    def freeze(store):
        with store.ledger.database.reading() as connection:
            pids.append(connection.execute("SELECT pg_backend_pid() AS pid", {}).fetchone()["pid"])
        os.kill(pids[-1], signal.SIGSTOP)

    yield freeze
    for each in pids:
        os.kill(each, signal.SIGCONT)


def test_a_server_that_says_nothing_is_told_and_not_waited_for(shared_at, frozen):
    told = []
    with open_state(shared_at()) as store:
        begin(store.ledger)
        store.tell_waits(told.append)
        frozen(store)
        with pytest.raises(StorageError, match="it has not answered for") as caught:
            store.ledger.runs()
        assert caught.value.exit_code is ExitCode.FAILED
        assert [each.partition(" has not answered")[0] for each in told] == [
            f"The state {store.ledger.database.name}"
        ]
        assert len(store.ledger.runs()) == 1, "the next connection is a new one"

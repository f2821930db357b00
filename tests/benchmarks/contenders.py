"""Who can do the works: a command line for each client, pointed at loopback.

Knows how each client does a work in its own fastest way. Knows nothing of clocks.
"""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec

from tests.benchmarks import rows
from tests.benchmarks.bench import CLIENTS, LIMIT, PRODUCT, Bench, Contender, environment
from tests.benchmarks.shapes import Shape
from tests.postgresql import PROGRAMS, USER

TABLE = "account"
Of = Callable[[Bench], object]
"""A word of a command line, once it is known where it is run."""
_TYPES = {
    "AnnualRevenue": "numeric(18, 2)",
    "NumberOfEmployees": "bigint",
    "Active__c": "boolean",
    "LastModifiedDate": "timestamptz",
}


def _job(task: Callable[[Bench], dict[str, object]]) -> Callable[[Bench], None]:
    """Write the job file of the product; JSON is YAML too."""

    def write(bench: Bench) -> None:
        connection = {
            "environment": "local",
            "url": bench.url,
            "api_version": "66.0",
            "token": {"env": "BENCH_TOKEN"},
        }
        tasks = [{"name": "work", **task(bench)}]
        job = {"version": 1, "name": "bench", "connection": connection, "tasks": tasks}
        (bench.folder / "job.yaml").write_text(json.dumps(job, indent=2))

    return write


def query_job(api: str, to: str | dict[str, str] = "rows.csv") -> Callable[[Bench], None]:
    """Prepare a query, to a file or to the table of a database."""

    def task(bench: Bench) -> dict[str, object]:
        target = {"database": to, "table": TABLE} if isinstance(to, dict) else str(bench.out / to)
        return {"query": rows.SOQL, "api": api, "to": target}

    return _job(task)


def write_job(
    verb: str, api: str, shape: Shape, fields: dict[str, str] | None = None, **more: object
) -> Callable[[Bench], None]:
    """Prepare a write; without `fields`, by the source's header; `more` keys of the task."""

    def task(bench: Bench) -> dict[str, object]:
        source = bench.source_file(shape, over_rest=api == "rest")
        return {
            verb: "Account",
            **({"key": "ERP_Id__c"} if verb == "upsert" else {}),
            "api": api,
            "from": str(source),
            **({"fields": fields} if fields else {}),
            "results": str(bench.out),
            "max_failures": "50%",
            **more,
        }

    return _job(task)


def product(
    how: str,
    prepare: Callable[[Bench], None],
    *words: str,
    there: Callable[[Bench], bool] = lambda _bench: True,
    name: str = PRODUCT,
) -> Contender:
    """The product, with a job file."""

    def command(bench: Bench) -> list[str]:
        job = str(bench.folder / "job.yaml")
        return [bench.python, "-m", "runner", *(words or ("run", "-q")), job]

    return Contender(name, how, command, there, prepare)


def curl(how: str, *words: Of) -> Contender:
    """How fast bytes can be moved at all."""

    def command(bench: Bench) -> list[str]:
        return ["curl", "-sSf", *(str(word(bench)) for word in words)]

    return Contender(LIMIT, how, command, there=lambda _bench: shutil.which("curl") is not None)


def script(
    name: str, module: str, work: str, how: str, source: Of = lambda _bench: "-"
) -> Contender:
    """A script in Python, if what it imports is installed."""
    program = CLIENTS / f"with_{module}.py"

    def command(bench: Bench) -> list[str]:
        words = (program, work, bench.port, rows.SOQL, source(bench), bench.out)
        return [sys.executable, *map(str, words)]

    return Contender(name, how, command, there=lambda _bench: find_spec(module) is not None)


def simple(work: str, how: str, source: Of = lambda _bench: "-") -> Contender:
    """A script with simple-salesforce."""
    return script("simple-salesforce", "simple_salesforce", work, how, source)


def _node(bench: Bench) -> str:
    return str(bench.modules / "node_modules/node/bin/node")


def jsforce(work: str, how: str, source: Of = lambda _bench: "-") -> Contender:
    """A script in JavaScript."""

    def command(bench: Bench) -> list[str]:
        program = CLIENTS / "with_jsforce.mjs"
        words = (program, work, bench.port, rows.SOQL, source(bench), bench.out, bench.modules)
        return [_node(bench), *map(str, words)]

    package = "node_modules/@jsforce/jsforce-node"
    return Contender("jsforce", how, command, there=lambda b: (b.modules / package).exists())


def sf(how: str, *words: Of) -> Contender:
    """The Salesforce CLI, signed in before the clock runs."""

    def command(bench: Bench) -> list[str]:
        return [*_sf_program(bench), *(str(word(bench)) for word in words), "--target-org", "bench"]

    return Contender(
        "Salesforce CLI",
        how,
        command,
        there=lambda b: (b.modules / "node_modules/@salesforce/cli").exists(),
        prepare=_sign_in_sf,
        fine=(0, 1),
    )


def _sf_program(bench: Bench) -> list[str]:
    return [_node(bench), str(bench.modules / "node_modules/@salesforce/cli/bin/run.js")]


def _sign_in_sf(bench: Bench) -> None:
    words = ["org", "login", "access-token", "--no-prompt", "--alias", "bench"]
    (bench.folder / "home").mkdir(exist_ok=True)
    subprocess.run(
        [*_sf_program(bench), *words, "--instance-url", bench.url],
        env=environment(bench),
        check=True,
        capture_output=True,
    )


def word(text: str) -> Of:
    """A word that is the same everywhere."""
    return lambda _bench: text


def words(line: str) -> list[Of]:
    """Words that are the same everywhere."""
    return [word(each) for each in line.split()]


def out(name: str) -> Of:
    """A file that is written."""
    return lambda bench: str(bench.out / name)


def drt(how: str, shape: Shape) -> Contender:
    """The reverse ETL tool drt: rows out of DuckDB, into one Bulk job."""

    def prepare(bench: Bench) -> None:
        source = str(bench.source_file(shape, mapped=True))
        destination = {
            "type": "salesforce_bulk",
            "instance_url": bench.url,
            "object_name": "Account",
            "operation": "upsert",
            "external_id_field": "ERP_Id__c",
            "poll_interval_seconds": 0,
            **{f"{name}_env": "BENCH_TOKEN" for name in _DRT_SECRETS},
        }
        sync = {
            "name": "accounts",
            "model": f"SELECT * FROM read_csv('{source}', all_varchar = true)",
            "destination": destination,
            "sync": {"batch_size": 10_000, "on_error": "skip"},
        }
        profiles = {"bench": {"type": "duckdb", "database": ":memory:"}}
        project = {"name": "bench", "version": "0.1", "profile": "bench"}
        for name, content in (
            ("home/.drt/profiles.yml", profiles),
            ("drt_project.yml", project),
            ("syncs/accounts.yml", sync),
        ):
            (bench.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (bench.folder / name).write_text(json.dumps(content))

    def command(_bench: Bench) -> list[str]:
        return [sys.executable, "-c", "from drt.cli.main import app; app()", "run"]

    there = find_spec("drt") is not None
    return Contender("drt", how, command, lambda _bench: there, prepare, fine=(0, 1))


_DRT_SECRETS = ("client_id", "client_secret", "username", "password")


def psql(how: str) -> Contender:
    """PostgreSQL's own client: the rows by curl, then `\\copy` into a table made by hand."""

    def command(bench: Bench) -> list[str]:
        file = bench.out / "rows.csv"
        columns = ", ".join(f'"{name}" {_TYPES.get(name, "text")}' for name in rows.QUERIED)
        told = ", ".join(f'"{name}"' for name in rows.QUERIED)
        statements = (
            f"DROP TABLE IF EXISTS {TABLE}",
            f"CREATE TABLE {TABLE} ({columns})",
            f"\\copy {TABLE} from '{file}' (format csv, header, force_null ({told}))",
        )
        program = ["psql", "-h", str(bench.postgresql), "-U", USER, "-d", "postgres", "-q", "-1"]
        copy = [*program, *(word for each in statements for word in ("-c", each))]
        download = ["curl", "-sSf", "-o", str(file), result_url(bench)]
        return ["sh", "-c", f"{shlex.join(download)} && {shlex.join(copy)}"]

    return Contender("psql", how, command, there=has_postgresql)


def result_url(bench: Bench) -> str:
    """All rows of a Bulk query at once."""
    return f"{bench.api}/jobs/query/7505g/results?maxRecords={bench.rows}"


def has_postgresql(_bench: Bench) -> bool:
    """Whether there can be a cluster, and psql."""
    return PROGRAMS is not None and shutil.which("psql") is not None

"""What each verb imports, by name and number: a start is its imports."""

import re
import sys

import pytest

JOB = """
- name: load
  upsert: Account
  key: ERP_Id__c
  from: rows.csv
  fields: {ERP_Id__c: no, Name: trim(name)}
"""
NEVER = {
    "typer",
    "prometheus_client",
    "opentelemetry",
    "duckdb",
    "filelock",
    "rich",
    "jsonschema",
    "jinja2",
    "cryptography",
    "truststore",
    "numpy",
    "pandas",
    "httpx",
    "asyncio",
    "email",
    "ssl",
}
"""Packages that no ordinary command needs, of Python's own too; TLS only where the org has it, and
Typer only where something has to be explained, completed or refused."""
OF_OTHERS = {"_distutils_hack", "_wmi", "brotli", "brotlicffi", "h2", "socksio", "tornado", "trio"}
"""httpx, tenacity or Python at its start import them where another package has brought them; and
`platform` of Python 3.12 looks for Windows by `_wmi`."""
ENGINE = {"_duckdb"}
RARE = {"concurrent", "difflib", "html", "inspect", "logging", "random", "subprocess"}
"""Of Python's own, what asking an org once does not need."""
LATE = {*RARE, "bz2", "hashlib", "lzma", "secrets", "shutil", "socket"}
"""What only looking at the ledger does not need."""
COMPLETE = {"_RUNNER_COMPLETE": "complete_bash", "COMP_WORDS": "runner val", "COMP_CWORD": "1"}


@pytest.fixture
def imported(bench):
    """Run a command; the modules that it imported but for Python's own, and what it said."""

    def run(*words, **env):
        bench.env = {"PYTHONPROFILEIMPORTTIME": "1", **env}
        ended = bench.run(*words)
        assert ended.code == 0, ended.err[-2000:]
        names = set(re.findall(r"^import time:.*\| +(\S+)$", ended.err, re.MULTILINE))
        others = (sys.stdlib_module_names | OF_OTHERS) - NEVER - LATE
        own = {each for each in names if each.partition(".")[0] not in others}
        return own, ended.out

    return run


def packages(modules):
    return {each.partition(".")[0] for each in modules}


def layers(modules):
    return {each.split(".")[1] for each in modules if each.startswith("runner.")}


def test_history_reads_the_ledger_alone(imported):
    imported("history")  # makes the ledger
    modules, _ = imported("history")
    assert packages(modules).isdisjoint({*NEVER, *LATE, *ENGINE, "yaml"})
    assert layers(modules).isdisjoint({"tables", "salesforce", "engine", "local_org", "report"})
    assert len(modules) < 50


def test_a_verb_of_a_verb_is_read_without_typer_too(imported):
    modules, said = imported("org", "snapshot", "--list", "-o", "json")
    assert said == "[]\n"
    assert "typer" not in packages(modules)


def test_a_job_of_plain_expressions_is_validated_without_an_engine(imported, bench):
    bench.write("rows.csv", "no,name\n1,A\n")
    modules, _ = imported("validate", bench.job(JOB))
    assert packages(modules).isdisjoint({*NEVER, *ENGINE, "sqlite3", "inspect"})
    assert layers(modules).isdisjoint({"salesforce", "engine", "local_org", "login"})
    assert len(modules) < 149


def test_whoami_asks_an_org_without_an_engine(imported, bench, org):
    modules, said = imported("whoami", bench.job(JOB))
    assert "admin@local.example" in said
    assert packages(modules).isdisjoint({*NEVER, *RARE, *ENGINE})
    assert layers(modules).isdisjoint({"tables", "login"})
    assert len(modules) < 163


def test_a_run_imports_neither_other_verbs_nor_what_it_does_not_use(imported, bench, org):
    bench.write("rows.csv", "no,name\n1,A\n")
    modules, _ = imported("run", "-q", bench.job(JOB))
    assert packages(modules).isdisjoint({*NEVER, *ENGINE, "sqlalchemy", "keyring", "fsspec"})
    assert layers(modules).isdisjoint({"login"})
    assert modules.isdisjoint({"runner.cli.history", "runner.engine.query", "runner.engine.undo"})
    assert len(modules) < 330


def test_a_run_of_a_query_imports_nothing_of_writes(imported, bench, org):
    query = '\n- {name: out, query: "SELECT Id FROM Account", to: out.csv}\n'
    modules, _ = imported("run", "-q", bench.job(query))
    assert packages(modules).isdisjoint({*NEVER, *ENGINE, "sqlalchemy"})
    of_writes = {"engine.write", "engine.bulk", "engine.columns", "engine.undo", "engine.mirror"}
    assert modules.isdisjoint({f"runner.{each}" for each in of_writes})
    assert modules.isdisjoint({"runner.tables.staging.mapping", "runner.engine.increment"})
    assert len(modules) < 284


def test_a_word_is_completed_without_more_than_the_command_line(imported):
    modules, said = imported(**COMPLETE)
    assert said == "validate\n"
    assert packages(modules).isdisjoint({*NEVER, *LATE, *ENGINE, "yaml", "msgspec"})
    assert len(modules) < 8


def test_options_are_completed_too(imported):
    words = {**COMPLETE, "COMP_WORDS": "runner validate --allow-o", "COMP_CWORD": "2"}
    modules, said = imported(**words)
    assert said == "--allow-outside\n"
    assert packages(modules).isdisjoint({*NEVER, *ENGINE, "yaml"} - {"typer"})
    assert layers(modules).isdisjoint({"tables", "salesforce", "engine", "local_org", "state"})
    assert len(modules) < 80


@pytest.mark.parametrize(
    ("shell", "said"),
    [("bash", "complete -o default -F"), ("zsh", "compdef"), ("fish", "--command runner")],
)
def test_a_shell_is_told_how_to_complete(bench, shell, said):
    bench.env = {"_RUNNER_COMPLETE": f"source_{shell}"}
    assert said in bench.run().out

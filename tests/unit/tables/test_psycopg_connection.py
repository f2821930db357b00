"""URLs that psycopg connects to by itself mean what SQLAlchemy takes them for."""

import pytest
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.engine import make_url

from runner.credentials import SecretReference
from runner.errors import StateError
from runner.tables.psycopg_connection import _options, connect_psycopg, is_common

COMMON = (
    "postgresql+psycopg://user:password@db.example.com:5433/sales",
    "postgresql+psycopg://user@localhost/sales",
    "postgresql+psycopg://u%40x:p%2Fa%3As%20s+%25@10.0.0.1/a_b-c.d",
    "postgresql+psycopg://:secret@host/name",
    "postgresql+psycopg:///name",
    "postgresql+psycopg://host/",
    "postgresql+psycopg://user:pass-word@/postgres?host=/tmp/pg-1/socket",
    "postgresql+psycopg://u:p@h/n?sslmode=require&application_name=a%20b&connect_timeout=5",
    "postgresql+psycopg://u:p@h/n?options=-c%20search_path%3Dsales",
)
OTHERS = (
    "",
    "postgresql://u:p@h/n",
    "postgresql+psycopg2://u:p@h/n",
    "sqlite:////tmp/a.db",
    "postgresql+psycopg://u:p/a@h/n",
    "postgresql+psycopg://u:p@[::1]/n",
    "postgresql+psycopg://u:p@h/n?host=other",
    "postgresql+psycopg://u:p@/n?host=a:1&host=b:2",
    "postgresql+psycopg://u:p@/n?host=a,b",
    "postgresql+psycopg://u:p@h/n?autocommit=true",
    "postgresql+psycopg://u:p@h/a%20b",
    "postgresql+psycopg://u:p@h",
)


@pytest.mark.parametrize("url", COMMON)
def test_options_are_those_that_sqlalchemy_gives_the_driver(url, monkeypatch):
    _, options = PGDialect_psycopg().create_connect_args(make_url(url))
    assert _options(url) == {key: str(each) for key, each in options.items()}
    monkeypatch.setenv("A_POSTGRESQL", f" {url}\n")
    assert is_common(SecretReference(env="A_POSTGRESQL"))


@pytest.mark.parametrize("url", OTHERS)
def test_other_urls_are_left_to_sqlalchemy(url, monkeypatch):
    monkeypatch.setenv("A_POSTGRESQL", url)
    assert not is_common(SecretReference(env="A_POSTGRESQL"))


def test_commands_are_not_run_to_find_out():
    assert not is_common(SecretReference(command=("false",)))


def test_an_unreachable_server_is_reported_without_the_password(monkeypatch, tmp_path):
    url = f"postgresql+psycopg://sync:pass-word@/postgres?host={tmp_path}"
    monkeypatch.setenv("A_POSTGRESQL", url)
    reference = SecretReference(env="A_POSTGRESQL")
    with (
        pytest.raises(StateError, match="could not be reached") as raised,
        connect_psycopg(reference, StateError),
    ):
        pass
    assert "pass-word" not in f"{raised.value.message}{raised.value.hint}"

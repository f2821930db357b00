"""A token in the state that machines share, as the commands use it."""

import secrets

import pytest
import sqlalchemy

from tests.e2e.sign_in.conftest import job
from tests.e2e.sign_in.test_headless_sign_in import expire, sign_ins
from tests.e2e.sign_in.test_tokens_of_others import granted
from tests.postgresql import USER, url_of

APPS = """\
version: 1
apps:
  - client_id: web-app
    callbacks: ["http://localhost:1717/OauthRedirect"]
  - client_id: own-app
    client_secret: a-secret
    client_credentials_user: admin@local.example
"""
PLACE = "token: {state: acme, key: {env: TOKEN_KEY}}"


@pytest.fixture
def org(serve_org):
    return serve_org(org_file=APPS)


@pytest.fixture
def schema(bench, postgres):
    """A shared state, empty yet."""
    made = f"t{secrets.token_hex(6)}"
    bench.env["SFRUNNER_STATE"] = (
        f"postgresql://{USER}@/postgres?host={postgres}"
        f"&files={(bench.folder / 'store').as_uri()}&schema={made}"
    )
    bench.env["TOKEN_KEY"] = "a passphrase"
    return made


def stored(postgres, schema):
    engine = sqlalchemy.create_engine(url_of(postgres), poolclass=sqlalchemy.NullPool)
    with engine.begin() as connection:
        return connection.exec_driver_sql(f"SELECT sealed FROM {schema}.tokens").scalars().all()


def test_a_token_is_stored_encrypted_used_shown_and_removed(bench, org, postgres, schema):
    file = job(bench, org, f"client_id: web-app, {PLACE}")
    missing = bench.run("run", file)
    assert missing.code == 4, missing.err
    assert "There is no token acme in the state." in missing.err

    host, refresh_token = org.url.removeprefix("http://"), granted(org)
    given = f"force://web-app::{refresh_token}@{host}"
    ended = bench.run("login", file, "--with-token", given=given)
    assert ended.code == 0, ended.err
    (sealed,) = stored(postgres, schema)
    assert refresh_token not in sealed
    assert bench.run("run", file).code == 0

    told = bench.run("whoami", file, "-o", "json").document
    assert told["username"] == "admin@local.example"
    assert told["token"].startswith("token acme of the state postgresql://")

    bench.env["TOKEN_KEY"] = "another"
    wrong = bench.run("run", file)
    assert wrong.code == 4, wrong.err
    assert "The token acme in the state" in wrong.err
    del bench.env["TOKEN_KEY"]
    none = bench.run("run", file)
    assert none.code == 4, none.err
    assert "TOKEN_KEY" in none.err
    bench.env["TOKEN_KEY"] = "a passphrase"

    ended = bench.run("logout", file)
    assert ended.code == 0, ended.err
    assert stored(postgres, schema) == []
    again = bench.run("logout", file)
    assert again.code == 4, "as of a token file"
    assert "There is no token acme in the state." in again.err


def test_an_app_that_signs_in_by_itself_keeps_its_token_for_all_machines(bench, org, schema):
    bench.env["ACME_SECRET"] = "a-secret"
    auth = "auth: {client_credentials: {secret: {env: ACME_SECRET}}}"
    file = job(bench, org, f"client_id: own-app, {PLACE}, {auth}")
    for _ in range(2):
        ended = bench.run("run", file)
        assert ended.code == 0, ended.err
    assert sign_ins(org) == 1
    expire(org)
    assert bench.run("run", file).code == 0
    assert sign_ins(org) == 2


@pytest.mark.parametrize("verb", ["run", "check", "login", "logout", "whoami"])
def test_a_state_that_is_a_folder_has_no_such_token(bench, org, verb):
    bench.env["TOKEN_KEY"] = "a passphrase"
    file = job(bench, org, f"client_id: web-app, {PLACE}")
    words = ("--with-token",) if verb == "login" else ()
    refused = bench.run(verb, file, *words, given=org.token)
    assert refused.code == 2, refused.err
    assert "The token acme is in a state that machines share" in refused.out + refused.err
    assert "SFRUNNER_STATE" in refused.out + refused.err

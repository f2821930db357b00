import pytest
from msgspec.structs import replace

from runner.credentials import ClientCredentials, JwtBearer, Secret, SecretReference, Token
from runner.salesforce.auth.expiry import missing_scopes, what_ends_it

PLACE = SecretReference(env="KEY")
TOKEN = Token(Secret("a"), "https://acme.my.salesforce.com", Secret("r"))


@pytest.mark.parametrize(
    ("scopes", "missing"),
    [
        ((), ()),
        (("api", "refresh_token"), ()),
        (("full",), ()),
        (("openid",), ("api",)),
    ],
)
def test_scopes_that_a_run_needs_are_missed(scopes, missing):
    assert missing_scopes(replace(TOKEN, scopes=scopes)) == missing


def test_without_a_refresh_token_its_scope_is_missed():
    alone = replace(TOKEN, refresh_token=None, scopes=("api",))
    assert missing_scopes(alone) == ("refresh_token",)
    assert missing_scopes(replace(alone, grant=ClientCredentials(PLACE))) == ()


@pytest.mark.parametrize(
    ("facts", "writable", "said"),
    [
        ({"refresh_token": None}, True, "nothing renews it"),
        ({}, False, "cannot be written back"),
        ({}, True, "sixth time"),
        ({"rotates": True}, True, "second copy"),
        ({"grant": JwtBearer("u", PLACE)}, True, "certificate"),
        ({"grant": ClientCredentials(PLACE)}, False, "secret is replaced"),
    ],
)
def test_what_would_end_a_sign_in_is_said(facts, writable, said):
    assert said in what_ends_it(replace(TOKEN, **facts), writable=writable)

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.credentials import Secret
from runner.errors import SignInError
from runner.login.callback import (
    AccessDeniedError,
    Callback,
    callback_of,
    code_of,
    pasted_callback,
    redirect_uri,
)

CODE = Callback(Secret("aPrx=="), "s1")


def test_the_callback_address_is_the_one_that_is_registered():
    assert redirect_uri(1717) == "http://localhost:1717/OauthRedirect"


def test_a_code_is_decoded_and_does_not_show_itself():
    callback = callback_of("code=aPrx%3D%3D&state=s1")
    assert callback == CODE
    assert "aPrx" not in repr(callback)


@pytest.mark.parametrize(
    "query",
    [
        "",
        "state=s1",
        "code=",
        "code=a&code=b&state=s1",
        "code=a&error=b",
        "code=a&state=s1&state=s2",
        "&".join(f"a{n}=1" for n in range(30)),
    ],
)
def test_what_is_no_answer_is_none(query):
    assert callback_of(query) is None


@given(st.text())
def test_any_query_is_an_answer_or_none(query):
    callback_of(query)


def test_the_right_state_gives_the_code():
    assert code_of(CODE, "s1") == Secret("aPrx==")


@pytest.mark.parametrize("state", [None, "", "s2", "S1", "s1 ", "é"])
@pytest.mark.parametrize("code", ["aPrx", None])
def test_another_state_is_refused(state, code):
    error = None if code else "access_denied"
    callback = Callback(Secret(code) if code else None, state, error)
    with pytest.raises(SignInError) as caught:
        code_of(callback, "s1")
    if code or state:
        assert "another sign-in" in caught.value.message
    assert "aPrx" not in caught.value.message
    assert caught.value.hint


def test_a_refusal_in_the_browser_is_told_as_one():
    callback = callback_of(
        "error=access_denied&error_description=end-user+denied+authorization&state=s1"
    )
    with pytest.raises(AccessDeniedError, match="denied in the browser") as caught:
        code_of(callback, "s1")
    assert "end-user denied authorization" in caught.value.message


def test_another_refusal_carries_the_orgs_words_and_a_hint():
    callback = callback_of(
        "error=redirect_uri_mismatch&error_description=redirect_uri%20must%20match&state=s1"
    )
    with pytest.raises(
        SignInError, match="redirect_uri_mismatch: redirect_uri must match"
    ) as caught:
        code_of(callback, "s1")
    assert not isinstance(caught.value, AccessDeniedError)
    assert "callback" in caught.value.hint


@pytest.mark.parametrize(
    "text",
    [
        "http://localhost:1717/OauthRedirect?code=aPrx%3D%3D&state=s1",
        "  http://localhost:1717/OauthRedirect?code=aPrx%3D%3D&state=s1\n",
        "http://localhost:1717/OauthRedirect?code=aP\nrx%3D%3D&state=s1",
    ],
)
def test_a_pasted_address_is_read_even_where_a_terminal_wrapped_it(text):
    assert pasted_callback(text) == CODE


@pytest.mark.parametrize("text", ["", "aPrx==", "http://localhost:1717/OauthRedirect", "http://[x"])
def test_what_is_no_address_is_told_without_repeating_it(text):
    with pytest.raises(SignInError, match="not the URL") as caught:
        pasted_callback(text)
    assert "aPrx" not in caught.value.message

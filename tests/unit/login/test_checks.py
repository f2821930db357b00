import pytest

from runner.errors import SignInError
from runner.job.model import Environment
from runner.login.checks import check_environment, check_identity
from runner.salesforce.identity import Identity

LOGIN = "https://login.salesforce.com/id/00D/005"
TEST = "https://test.salesforce.com/id/00D/005"


@pytest.mark.parametrize(
    ("environment", "instance_url", "identity_url"),
    [
        (Environment.LIVE, "https://acme.my.salesforce.com", LOGIN),
        (Environment.LIVE, "https://na1.salesforce.com", LOGIN),
        (Environment.LIVE, "https://acme-dev-ed.develop.my.salesforce.com", LOGIN),
        (Environment.SANDBOX, "https://acme--uat.sandbox.my.salesforce.com", TEST),
        (Environment.SANDBOX, "https://acme--uat.sandbox.my.salesforce.com", ""),
        (Environment.SANDBOX, "https://cs12.salesforce.com", TEST),
        (Environment.SANDBOX, "https://brave-fox.scratch.my.salesforce.com", TEST),
        (Environment.LOCAL, "http://127.0.0.1:8123", "http://127.0.0.1:8123/id/00D/005"),
        (Environment.LIVE, "https://na1.salesforce.com", ""),
    ],
)
def test_addresses_that_fit_or_tell_nothing_are_taken(environment, instance_url, identity_url):
    check_environment(environment, instance_url, identity_url)


@pytest.mark.parametrize(
    ("environment", "instance_url", "identity_url"),
    [
        (Environment.LIVE, "https://acme--uat.sandbox.my.salesforce.com", LOGIN),
        (Environment.LIVE, "https://cs12.salesforce.com", TEST),
        (Environment.SANDBOX, "https://acme.my.salesforce.com", ""),
        (Environment.SANDBOX, "https://na1.salesforce.com", LOGIN),
        (Environment.LIVE, "http://127.0.0.1:8123", ""),
        (Environment.LOCAL, "https://acme.my.salesforce.com", LOGIN),
    ],
)
def test_addresses_of_another_kind_of_org_are_refused(environment, instance_url, identity_url):
    with pytest.raises(SignInError, match="Nothing was saved") as caught:
        check_environment(environment, instance_url, identity_url)
    assert instance_url in caught.value.message
    assert "environment" in caught.value.hint


def identity(*, is_sandbox):
    return Identity("005", "ada@acme.example", "Ada", "00D5g00000ABCDEEA5", "Acme", is_sandbox)


@pytest.mark.parametrize(
    ("environment", "is_sandbox"), [(Environment.LIVE, True), (Environment.SANDBOX, False)]
)
def test_what_the_org_says_of_itself_counts_too(environment, is_sandbox):
    with pytest.raises(SignInError, match=r"Acme \(00D5g00000ABCDEEA5\)"):
        check_identity(environment, None, identity(is_sandbox=is_sandbox))


@pytest.mark.parametrize("is_sandbox", [True, False, None])
def test_an_org_on_this_machine_may_call_itself_what_it_likes(is_sandbox):
    check_identity(Environment.LOCAL, None, identity(is_sandbox=is_sandbox))


def test_an_org_that_says_nothing_of_itself_is_taken():
    check_identity(Environment.LIVE, None, identity(is_sandbox=None))


@pytest.mark.parametrize("pin", ["00D5g00000ABCDEEA5", "00D5g00000ABCDE"])
def test_a_pin_of_either_length_fits_its_org(pin):
    check_identity(Environment.LIVE, pin, identity(is_sandbox=None))


def test_another_org_than_the_pinned_one_is_refused():
    with pytest.raises(SignInError, match="org_id is 00D5g00000OTHER"):
        check_identity(Environment.LIVE, "00D5g00000OTHER", identity(is_sandbox=None))

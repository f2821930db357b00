import pytest

from runner.errors import SignInError
from runner.job.model import Environment
from runner.salesforce.expected_org import ExpectedOrg
from runner.salesforce.identity import Identity

LIVE, SANDBOX, LOCAL = Environment.LIVE, Environment.SANDBOX, Environment.LOCAL
LOGIN = "https://login.salesforce.com/id/00D/005"
TEST = "https://test.salesforce.com/id/00D/005"


@pytest.mark.parametrize(
    ("environment", "instance_url", "identity_url"),
    [
        (LIVE, "https://acme.my.salesforce.com", LOGIN),
        (LIVE, "https://na1.salesforce.com", LOGIN),
        (LIVE, "https://acme-dev-ed.develop.my.salesforce.com", LOGIN),
        (SANDBOX, "https://acme--uat.sandbox.my.salesforce.com", TEST),
        (SANDBOX, "https://acme--uat.sandbox.my.salesforce.com", ""),
        (SANDBOX, "https://cs12.salesforce.com", TEST),
        (SANDBOX, "https://brave-fox.scratch.my.salesforce.com", TEST),
        (LOCAL, "http://127.0.0.1:8123", "http://127.0.0.1:8123/id/00D/005"),
        (LIVE, "https://na1.salesforce.com", ""),
    ],
)
def test_addresses_that_fit_or_tell_nothing_are_taken(environment, instance_url, identity_url):
    expected(environment).check_urls(instance_url, identity_url)


@pytest.mark.parametrize("at_sign_in", [True, False])
@pytest.mark.parametrize(
    ("environment", "instance_url", "identity_url"),
    [
        (LIVE, "https://acme--uat.sandbox.my.salesforce.com", LOGIN),
        (LIVE, "https://cs12.salesforce.com", TEST),
        (SANDBOX, "https://acme.my.salesforce.com", ""),
        (SANDBOX, "https://na1.salesforce.com", LOGIN),
        (LIVE, "http://127.0.0.1:8123", ""),
        (LOCAL, "https://acme.my.salesforce.com", LOGIN),
        (SANDBOX, "https://acme-dev-ed.develop.my.salesforce.com", ""),
        (LIVE, "https://brave-fox.scratch.my.salesforce.com", ""),
    ],
)
def test_addresses_of_another_kind_of_org_are_refused(
    environment, instance_url, identity_url, at_sign_in
):
    nothing = "Nothing was saved" if at_sign_in else "Nothing was sent"
    with pytest.raises(SignInError, match=nothing) as caught:
        expected(environment, at_sign_in=at_sign_in).check_urls(instance_url, identity_url)
    assert instance_url in caught.value.message
    assert "environment" in caught.value.hint


@pytest.mark.parametrize(
    ("domain", "instance_url"),
    [
        ("acme--uat", "https://acme--uat.sandbox.my.salesforce.com"),
        ("acme--uat", "https://acme--uat.my.salesforce.com"),
        ("acme--uat", "https://acme--uat.cs101.my.salesforce.com"),
        ("acme--uat.sandbox.lightning.force.com", "https://ACME--UAT.sandbox.my.salesforce.com"),
        ("acme--uat", "https://cs101.salesforce.com"),
        ("acme--uat", "https://gateway.acme.example"),
        ("login.acme.com", "https://acme--uat.sandbox.my.salesforce.com"),
        (None, "https://acme--uat.sandbox.my.salesforce.com"),
    ],
)
def test_an_instance_that_is_the_domains_or_tells_nothing_is_taken(domain, instance_url):
    expected(SANDBOX, domain=domain).check_urls(instance_url)


@pytest.mark.parametrize("at_sign_in", [True, False])
@pytest.mark.parametrize(
    "domain", ["acme--uat", "acme--uat.sandbox.my.salesforce.com", "other--qa"]
)
def test_an_instance_of_another_domain_is_refused(domain, at_sign_in):
    url = "https://acme--qa.sandbox.my.salesforce.com"
    org = expected(SANDBOX, domain=domain, at_sign_in=at_sign_in)
    with pytest.raises(SignInError) as caught:
        org.check_urls(url)
    assert url in caught.value.message
    assert f"the job's domain is {domain}" in caught.value.message
    with pytest.raises(SignInError, match=domain):
        org.check_identity(identity(is_sandbox=True, my_domain_url=url))


def expected(environment, **facts):
    return ExpectedOrg(environment, "runner login job.yaml", **{"at_sign_in": True, **facts})


def identity(*, is_sandbox, **facts):
    names = ("005", "ada@acme.example", "Ada", "00D5g00000ABCDEEA5", "Acme")
    return Identity(*names, is_sandbox, **facts)


@pytest.mark.parametrize(("environment", "url"), [(LIVE, TEST), (SANDBOX, LOGIN)])
def test_where_the_organization_is_hidden_the_identity_url_tells(environment, url):
    with pytest.raises(SignInError, match=f"environment is {environment}"):
        expected(environment).check_identity(identity(is_sandbox=None, url=url))


@pytest.mark.parametrize(("environment", "is_sandbox"), [(LIVE, True), (SANDBOX, False)])
def test_what_the_org_says_of_itself_counts_too(environment, is_sandbox):
    with pytest.raises(SignInError, match=r"Acme \(00D5g00000ABCDEEA5\)"):
        expected(environment).check_identity(identity(is_sandbox=is_sandbox))


@pytest.mark.parametrize("is_sandbox", [True, False, None])
def test_an_org_on_this_machine_may_call_itself_what_it_likes(is_sandbox):
    expected(LOCAL).check_identity(identity(is_sandbox=is_sandbox))


def test_an_org_that_says_nothing_of_itself_is_taken():
    expected(LIVE).check_identity(identity(is_sandbox=None))


@pytest.mark.parametrize("pin", ["00D5g00000ABCDEEA5", "00D5g00000ABCDE"])
def test_a_pin_of_either_length_fits_its_org(pin):
    expected(LIVE, org_id=pin).check_identity(identity(is_sandbox=None))


def test_another_org_than_the_pinned_one_is_refused():
    with pytest.raises(SignInError, match="org_id is 00D5g00000OTHER"):
        expected(LIVE, org_id="00D5g00000OTHER").check_identity(identity(is_sandbox=None))

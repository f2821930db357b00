"""Which org a `domain` means, in every form in which people have it before them."""

import pytest

from runner.job.model import Environment
from runner.job.my_domain import environment_of_host, host_of, is_other_page

LIVE, SANDBOX = Environment.LIVE, Environment.SANDBOX


@pytest.mark.parametrize(
    ("domain", "host", "environment"),
    [
        ("acme", "acme.my.salesforce.com", LIVE),
        ("acme.lightning.force.com", "acme.my.salesforce.com", LIVE),
        ("https://acme.lightning.force.com/lightning/page/home", "acme.my.salesforce.com", LIVE),
        ("acme.my.salesforce-setup.com", "acme.my.salesforce.com", LIVE),
        ("https://acme.my.salesforce-setup.com/lightning/setup/x", "acme.my.salesforce.com", LIVE),
        ("acme--c.vf.force.com", "acme.my.salesforce.com", LIVE),
        ("acme.file.force.com", "acme.my.salesforce.com", LIVE),
        ("acme.my.site.com", "acme.my.salesforce.com", LIVE),
        ("acme.lightning.crmforce.mil", "acme.my.salesforce.mil", LIVE),
        ("acme-dev-ed.develop.lightning.force.com", "acme-dev-ed.develop.my.salesforce.com", LIVE),
        ("acme-dev-ed.develop", "acme-dev-ed.develop.my.salesforce.com", LIVE),
        ("fox.trailblaze.lightning.force.com", "fox.trailblaze.my.salesforce.com", LIVE),
        ("acme--uat", "acme--uat.sandbox.my.salesforce.com", SANDBOX),
        ("acme--uat.lightning.force.com", "acme--uat.sandbox.my.salesforce.com", SANDBOX),
        ("acme--uat.sandbox.lightning.force.com", "acme--uat.sandbox.my.salesforce.com", SANDBOX),
        (
            "acme--uat.sandbox.my.salesforce-setup.com",
            "acme--uat.sandbox.my.salesforce.com",
            SANDBOX,
        ),
        ("acme--uat--c.sandbox.vf.force.com", "acme--uat.sandbox.my.salesforce.com", SANDBOX),
        ("acme--dev.develop.my.salesforce.com", "acme--dev.develop.my.salesforce.com", SANDBOX),
        ("acme--uat.my.salesforce.com", "acme--uat.my.salesforce.com", SANDBOX),
        ("fox.scratch.lightning.force.com", "fox.scratch.my.salesforce.com", SANDBOX),
        ("fox.scratch", "fox.scratch.my.salesforce.com", SANDBOX),
        ("login.acme.com", "login.acme.com", None),
    ],
)
def test_every_form_of_a_domain_means_one_host(domain, host, environment):
    assert host_of(domain, environment or LIVE) == host
    assert environment_of_host(host) is environment
    assert not is_other_page(host)


@pytest.mark.parametrize(
    "host", ["acme.force.com", "acme.secure.force.com", "acme.salesforce.com", "www.salesforce.com"]
)
def test_a_page_that_is_no_orgs_is_known(host):
    assert is_other_page(host)


@pytest.mark.parametrize(
    "host",
    ["login.salesforce.com", "test.salesforce.com", "na139.salesforce.com", "cs42.salesforce.com"],
)
def test_hosts_without_my_domain_are_not_pages(host):
    assert not is_other_page(host)

import pytest

from runner.errors import UsageError
from runner.job.choices import WriteOptions
from runner.salesforce.rest.body import nested, option_headers


def test_relationships_become_objects():
    record = {"Name": "x", "Account.ERP_Id__c": "A1", "Contact:Who.Ext__c": "C1", "Amount": 1.5}
    assert nested(record, {}) == {
        "Name": "x",
        "Account": {"ERP_Id__c": "A1"},
        "Who": {"attributes": {"type": "Contact"}, "Ext__c": "C1"},
        "Amount": 1.5,
    }


def test_a_cleared_relationship_empties_its_reference_field():
    record = {"Account.ERP_Id__c": None, "Contact:Who.Ext__c": None, "Phone": None}
    lookups = {"Account.ERP_Id__c": "AccountId", "Contact:Who.Ext__c": "WhoId"}
    assert nested(record, lookups) == {"AccountId": None, "WhoId": None, "Phone": None}


@pytest.mark.parametrize(
    ("rule", "header"), [(None, "FALSE"), (False, "FALSE"), (True, "TRUE"), ("01Q1", "01Q1")]
)
def test_assignment_rules_run_only_when_asked_for(rule, header):
    assert option_headers(WriteOptions(assignment_rule=rule), "66.0") == {
        "Sforce-Auto-Assign": header
    }


def test_duplicate_rules_need_version_52():
    options = WriteOptions(duplicate_rule_allow_save=True)
    assert option_headers(options, "52.0")["Sforce-Duplicate-Rule-Header"] == "allowSave=true"
    with pytest.raises(UsageError, match=r"52\.0"):
        option_headers(options, "51.0")

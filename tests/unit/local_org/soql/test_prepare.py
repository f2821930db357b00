"""Records as REST shows them."""

from __future__ import annotations


def test_a_record_has_attributes_first_and_keys_in_the_order_selected(world):
    record_id = world.add("Account", Name="Acme", NumberOfEmployees=5, AnnualRevenue=100.0)
    (record,) = world.query("select annualrevenue, ID, name, numberofemployees from account")
    assert list(record.items()) == [
        (
            "attributes",
            {"type": "Account", "url": f"/services/data/v66.0/sobjects/Account/{record_id}"},
        ),
        ("AnnualRevenue", 100.0),
        ("Id", record_id),
        ("Name", "Acme"),
        ("NumberOfEmployees", 5),
    ]
    assert isinstance(record["AnnualRevenue"], float)

import pytest

from runner.local_org.catalog.declared import DeclarationError, extend
from runner.local_org.catalog.standard import standard_catalog


def _catalog(**objects):
    return extend(standard_catalog(), {"version": 1, "objects": objects})


def _field(declaration, name="X__c"):
    return _catalog(Account={"fields": {name: declaration}}).sobject("Account").field(name)


def _problems(**objects):
    with pytest.raises(DeclarationError) as caught:
        _catalog(**objects)
    return {problem.path: problem.message for problem in caught.value.problems}


@pytest.mark.parametrize(
    ("kind", "describe_type"),
    [
        ("text", "string"),
        ("long_text", "textarea"),
        ("rich_text", "textarea"),
        ("email", "email"),
        ("phone", "phone"),
        ("url", "url"),
        ("checkbox", "boolean"),
        ("number", "double"),
        ("currency", "currency"),
        ("percent", "percent"),
        ("date", "date"),
        ("datetime", "datetime"),
        ("time", "time"),
        ("auto_number", "string"),
        ("location", "location"),
        ("encrypted_text", "encryptedstring"),
    ],
)
def test_every_type_of_the_org_file_has_its_type_in_describe(kind, describe_type):
    field = _field({"type": kind})
    assert (field.type, field.custom, field.label) == (describe_type, True, "X")


def test_an_external_id_can_be_found_and_a_unique_one_is_unique():
    field = _field({"type": "text", "length": 20, "external_id": True, "unique": True})
    assert (field.length, field.external_id, field.id_lookup, field.unique) == (
        20,
        True,
        True,
        True,
    )


def test_a_location_is_three_fields():
    account = _catalog(Account={"fields": {"Geo__c": {"type": "location", "scale": 4}}}).sobject(
        "Account"
    )
    assert not account.field("Geo__c").stored
    assert account.field("Geo__Latitude__s").compound_field_name == "Geo__c"
    assert account.field("Geo__Longitude__s").scale == 4


def test_a_custom_object_has_owner_name_and_system_fields():
    invoice = _catalog(Invoice__c={"label": "Invoice"}).sobject("Invoice__c")
    assert invoice.key_prefix == "a00"
    assert invoice.label_plural == "Invoices"
    assert [field.name for field in invoice.fields if field.required_on_create] == []
    assert invoice.field("OwnerId").polymorphic
    assert invoice.field("Name").name_field


def test_a_detail_is_owned_through_its_master_and_goes_with_it():
    catalog = _catalog(
        Invoice__c={"fields": {"Account__c": {"type": "master_detail", "to": "Account"}}}
    )
    invoice = catalog.sobject("Invoice__c")
    assert invoice.field("OwnerId") is None
    assert invoice.field("Account__c").required_on_create
    child = catalog.sobject("Account").child("Invoices__r")
    assert (child.field, child.cascade_delete) == ("Account__c", True)


def test_hidden_fields_are_gone_and_read_only_fields_cannot_be_written():
    account = _catalog(
        Account={"fields": {"Site": {"access": "hidden"}, "Phone": {"access": "read_only"}}}
    ).sobject("Account")
    assert account.field("Site") is None
    assert not account.field("Phone").updateable


def test_record_types_keep_their_ids_from_start_to_start():
    declared = {"record_types": {"Retail": {"label": "Shops", "default": True}}}
    first, second = (_catalog(Contact=declared).sobject("Contact") for _ in range(2))
    assert first.record_types == second.record_types
    assert first.record_types[0].id.startswith("012")
    assert first.field("RecordTypeId") is not None


def test_all_problems_are_told_at_once_with_their_paths():
    problems = _problems(
        Nope={},
        Invoice__c={
            "colour": "red",
            "fields": {
                "bad name": {"type": "text"},
                "A__c": {"type": "texxt"},
                "B__c": {"type": "text", "length": 300},
                "C__c": {"type": "lookup", "to": "Missing"},
                "D__c": {"type": "picklist"},
                "E__c": {"length": 3},
                "F__c": {"type": "auto_number", "format": "F-"},
                "G__c": {"type": "text", "values": ["x"]},
            },
            "validation_rules": {
                "R": {"when": {"Nix__c": 1}, "message": "no"},
                "S": {"when": [{"Name": {"over": 1}}], "message": "no"},
                "T": {"when": [], "message": "no"},
            },
            "duplicate_rules": {"D": {"fields": ["Nix__c"]}},
        },
    )
    top = ("objects", "Invoice__c")
    assert set(problems) >= {
        ("objects", "Nope"),
        (*top, "colour"),
        (*top, "fields", "bad name"),
        (*top, "fields", "A__c", "type"),
        (*top, "fields", "B__c", "length"),
        (*top, "fields", "C__c", "to"),
        (*top, "fields", "D__c"),
        (*top, "fields", "E__c"),
        (*top, "fields", "F__c", "format"),
        (*top, "fields", "G__c", "values"),
        (*top, "validation_rules", "R", "when", "Nix__c"),
        (*top, "validation_rules", "S", "when", 0, "Name", "over"),
        (*top, "validation_rules", "T"),
        (*top, "duplicate_rules", "D", "fields", 0),
    }


def test_two_children_of_one_parent_cannot_share_a_name():
    lookup = {"type": "lookup", "to": "Account", "child_relationship": "Bills__r"}
    problems = _problems(Bill__c={"fields": {"A__c": lookup, "B__c": lookup}})
    assert ("objects", "Bill__c", "fields", "A__c", "child_relationship") in problems


def test_another_version_of_the_file_is_refused():
    with pytest.raises(DeclarationError) as caught:
        extend(standard_catalog(), {"version": 2})
    assert caught.value.path == ("version",)


def test_names_can_have_a_namespace():
    catalog = _catalog(
        Account={"fields": {"npsp__Level__c": {"type": "text"}}},
        npsp__Allocation__c={
            "fields": {
                "npsp__Opportunity__c": {"type": "master_detail", "to": "Opportunity"},
                "npsp__Geo__c": {"type": "location"},
            }
        },
    )
    allocation = catalog.sobject("npsp__Allocation__c")
    assert (allocation.label, allocation.key_prefix, allocation.custom) == (
        "Allocation",
        "a00",
        True,
    )
    assert catalog.sobject("Account").field("npsp__Level__c").label == "Level"
    assert allocation.parent("npsp__Opportunity__r").name == "npsp__Opportunity__c"
    assert allocation.field("npsp__Geo__Latitude__s").compound_field_name == "npsp__Geo__c"
    assert catalog.sobject("Opportunity").child("npsp__Allocations__r")


def test_standard_fields_and_objects_that_the_org_lacks_are_declared_with_their_types():
    catalog = _catalog(
        Account={"fields": {"CurrencyIsoCode": {"type": "picklist", "values": ["EUR", "USD"]}}},
        Solution={
            "key_prefix": "501",
            "fields": {
                "SolutionName": {"type": "text", "required": True},
                "AccountId": {"type": "lookup", "to": "Account", "child_relationship": "Solutions"},
            },
        },
    )
    currency = catalog.sobject("Account").field("CurrencyIsoCode")
    assert (currency.type, currency.custom, currency.label) == (
        "picklist",
        False,
        "Currency Iso Code",
    )
    solution = catalog.of_id("501000000000001AAA")
    assert (solution.name, solution.custom) == ("Solution", False)
    assert [each.name for each in solution.fields if each.required_on_create] == ["SolutionName"]
    assert solution.parent("Account").name == "AccountId"
    assert catalog.sobject("Account").child("Solutions").child_sobject == "Solution"


@pytest.mark.parametrize(
    ("objects", "path", "message"),
    [
        (
            {"Solution": {}},
            ("objects", "Solution"),
            "not a standard object of this org; declare its `fields`, with their types",
        ),
        (
            {"Account": {"fields": {"CurrencyIsoCode": {"access": "hidden"}}}},
            ("objects", "Account", "fields", "CurrencyIsoCode"),
            "a field that the org does not have needs a type",
        ),
        (
            {"Account": {"fields": {"Tier": {"type": "text"}}}},
            ("objects", "Account", "fields", "Tier"),
            "not a standard field of Account; the name of a custom field ends in __c",
        ),
        (
            {"Solution": {"key_prefix": "001", "fields": {"X": {"type": "text"}}}},
            ("objects", "Solution", "key_prefix"),
            "001 is the key prefix of another object",
        ),
        (
            {"a__b__c__c": {}},
            ("objects", "a__b__c__c"),
            (
                "the name of a custom object is letters, digits and single _, ending in __c, __e or"
                " __mdt; that of a standard object is letters and digits"
            ),
        ),
    ],
)
def test_declarations_that_are_refused(objects, path, message):
    assert _problems(**objects) == {path: message}


def test_custom_metadata_is_read_only_and_events_are_only_published():
    catalog = _catalog(
        Tax__mdt={"fields": {"Rate__c": {"type": "number"}}},
        Low_Ink__e={"fields": {"Serial__c": {"type": "text"}}},
    )
    tax, event = catalog.sobject("Tax__mdt"), catalog.sobject("Low_Ink__e")
    assert (tax.key_prefix, event.key_prefix) == ("m00", "e00")
    assert not [field.name for field in tax.fields if field.createable or field.updateable]
    assert [field.name for field in event.fields if field.createable] == ["Serial__c"]
    assert [flag for flag, on in event.flags.items() if on] == ["createable", "triggerable"]


def test_files_notes_and_activities_can_belong_to_every_custom_object():
    shipment = _catalog(Shipment__c={}).sobject("Shipment__c")
    names = {each.relationship_name for each in shipment.children}
    assert {"Attachments", "ContentDocumentLinks", "Events", "Notes", "Tasks"} <= names


@pytest.mark.parametrize(("length", "is_compared"), [(255, True), (256, False)])
def test_a_text_area_can_be_filtered_by_and_a_long_one_cannot(length, is_compared):
    made = {"Account": {"fields": {"X__c": {"type": "long_text", "length": length}}}}
    catalog = extend(standard_catalog(), {"version": 1, "objects": made})
    field = catalog.sobject("Account").field("X__c")
    assert (field.filterable, field.sortable, field.groupable) == (is_compared,) * 3


STATUS = ("Lead", "Status")


@pytest.mark.parametrize(
    ("of", "changes", "default"),
    [
        (STATUS, {"values": ["New", "Done"]}, "New"),
        (STATUS, {"values": ["New", "Done"], "default": "Done"}, "Done"),
        (STATUS, {"values": ["New", "Open - Not Contacted"]}, "Open - Not Contacted"),
        (("Case", "Priority"), {"default": None}, None),
        (("Case", "Origin"), {"default": "Web"}, "Web"),
    ],
)
def test_a_standard_picklist_has_a_default_among_its_values(of, changes, default):
    sobject, name = of
    fields = {name: {"label": "Zustand", "help": "So steht es", **changes}}
    declared = {"version": 1, "objects": {sobject: {"label": "Fall", "fields": fields}}}
    made = extend(standard_catalog(), declared).sobject(sobject)
    field = made.field(name)
    assert (made.label, field.label, field.help) == ("Fall", "Zustand", "So steht es")
    assert (field.default, field.defaulted_on_create) == (default, default is not None)
    assert [each.value for each in field.picklist if each.default] == [default] * bool(default)


@pytest.mark.parametrize(("name", "default"), [("Status", "Gone"), ("Company", "x")])
def test_a_default_that_a_standard_field_cannot_have_is_refused(name, default):
    declared = {"version": 1, "objects": {"Lead": {"fields": {name: {"default": default}}}}}
    with pytest.raises(DeclarationError) as caught:
        extend(standard_catalog(), declared)
    assert [each.path[-1] for each in caught.value.problems] == ["default"]

"""What people add to an org file outlives the next pull."""

from runner.local_org.catalog.kept import with_kept

NUMBER = {"type": "auto_number", "format": "N-{0}"}
BEFORE = {
    "version": 1,
    "seed": {"A__c": "a.csv"},
    "objects": {
        "A__c": {
            "label": "Old",
            "name_field": NUMBER,
            "fields": {
                "Gone__c": {"type": "text"},
                "Number__c": NUMBER,
                "Score__c": {"type": "number", "default": 3},
                "Kind__c": {"type": "picklist", "values": ["a"], "default": "a"},
                "Retyped__c": {"type": "text", "default": "x"},
            },
            "validation_rules": {"R": {"when": {"Score__c": 1}, "message": "No."}},
        },
        "Other__c": {"fields": {"X__c": {"type": "date"}}},
    },
}
PULLED = {
    "version": 1,
    "objects": {
        "A__c": {
            "name_field": {"type": "auto_number"},
            "fields": {
                "Kind__c": {"type": "picklist", "values": ["b"]},
                "Number__c": {"type": "auto_number", "external_id": True},
                "Retyped__c": {"type": "date"},
                "Score__c": {"type": "number", "scale": 1},
            },
        },
    },
}


def test_what_a_pull_cannot_know_is_kept():
    assert with_kept(PULLED, BEFORE) == {
        "version": 1,
        "seed": {"A__c": "a.csv"},
        "objects": {
            "A__c": {
                "name_field": NUMBER,
                "fields": {
                    "Kind__c": {"type": "picklist", "values": ["b"]},
                    "Number__c": {"type": "auto_number", "external_id": True, "format": "N-{0}"},
                    "Retyped__c": {"type": "date"},
                    "Score__c": {"type": "number", "scale": 1, "default": 3},
                },
                "validation_rules": {"R": {"when": {"Score__c": 1}, "message": "No."}},
            },
            "Other__c": {"fields": {"X__c": {"type": "date"}}},
        },
    }


def test_without_a_file_before_nothing_changes():
    assert with_kept(PULLED, {}) == PULLED

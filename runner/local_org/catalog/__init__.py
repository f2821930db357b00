"""The shape of the org: sObjects, fields, relationships."""

"""What the org holds: sObjects, fields, relationships."""

"""The shipped JSON Schemas and validation against them."""

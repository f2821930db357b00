"""The org over the wire."""

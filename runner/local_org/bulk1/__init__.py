"""Bulk API 1.0."""

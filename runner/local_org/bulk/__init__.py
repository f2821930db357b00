"""Bulk API 2.0 jobs: their state, their files, and the work on them."""

"""Bulk API 2.0: ingest jobs, query jobs and their result sets."""

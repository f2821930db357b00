"""Bulk API 1.0: jobs and batches, the work on them, and the requests about them."""

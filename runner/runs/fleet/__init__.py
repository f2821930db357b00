"""Runs on the workers of a Dask cluster: a job is a task, the ledger says what is left of it."""

"""Targets: the rows of a query as files, folders and database tables."""

"""State that several machines share: the ledger in PostgreSQL, files in an object store."""

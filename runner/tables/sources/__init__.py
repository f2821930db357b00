"""Sources: files, databases and SQL, read as chunks of CSV records."""

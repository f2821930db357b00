"""The REST API: queries, record writes and reads."""

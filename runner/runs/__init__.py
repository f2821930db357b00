"""Runs from the request to the outcome. Prints nothing and reads no environment variable."""

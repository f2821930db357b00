"""A run from what is asked to its outcome. Prints nothing and reads no environment variable."""

"""What a write would do, from its staged rows; the file that keeps it."""

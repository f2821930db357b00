"""Bulk jobs: what they are, how their files are read and written, what carries them out."""

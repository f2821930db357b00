"""The command: one module a verb; builds the collaborators and prints."""

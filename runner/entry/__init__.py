"""The start of the installed command, in a folder of its own that goes on the import path."""

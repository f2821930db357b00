"""The command line: a module for each verb; reads options and the environment, and prints."""

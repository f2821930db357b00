"""Carries a job out: plan, tasks, outcome; knows no YAML, no terminal, no HTTP."""

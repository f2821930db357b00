"""A declarative sync runner for Salesforce. Python programs use `runner.api`."""

from runner.version import __version__

__all__ = ["__version__"]

"""A declarative sync runner for Salesforce."""

__version__ = "0.1.0"

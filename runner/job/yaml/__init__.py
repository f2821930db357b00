"""YAML text: values with positions."""

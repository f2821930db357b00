"""Turns events and outcomes into text and JSON."""

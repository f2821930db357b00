"""Staging: source rows mapped to the cells to send, and cut into parts."""

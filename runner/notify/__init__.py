"""Notifications of runs and heartbeats: what they say, and how they are sent."""

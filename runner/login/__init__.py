"""Signing in and out; shares only the token store with the engine."""

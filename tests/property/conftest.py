"""Properties are about values, not about how fast the machine is today."""

from hypothesis import settings

settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

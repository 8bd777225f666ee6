"""Leaving, and what the model is taught of it."""

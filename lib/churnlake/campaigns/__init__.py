"""Whom to contact, why, and who is left alone to measure the effect."""

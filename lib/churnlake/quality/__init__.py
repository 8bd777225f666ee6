"""Telecom checks on whole tables and days, and the scores that come of them."""

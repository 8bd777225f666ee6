"""Contact circles and groups of numbers."""

"""Who of the joiners is a customer who left, or is leaving, under another number."""

"""Against planted truth and real data: the only code that reads truth. No job imports it."""

"""General measures: nothing here knows a table or a telecom word."""

"""Who will leave next: what is taught, how it is fitted and judged, and what it says of each user."""

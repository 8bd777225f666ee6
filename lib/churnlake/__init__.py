"""churnlake: who leaves, who comes back under a new number, who will leave next."""

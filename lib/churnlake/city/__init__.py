"""The synthetic operator: people, circles, habits, handsets, leaving and coming back, decoys, faults; and the truth of it all."""

"""Owns the numbers that a run is judged by: pure functions of arrays; see `measuring.measure` and `catalogue`."""

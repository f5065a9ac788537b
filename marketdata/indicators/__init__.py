"""Owns technical indicators: pure functions of bars, each with one implementation; see `registry`."""

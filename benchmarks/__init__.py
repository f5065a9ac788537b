"""Figures of the README, from commands that anyone can run: ``make bench``."""

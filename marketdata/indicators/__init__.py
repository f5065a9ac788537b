"""Owns technical indicators: pure functions of bars, each with one implementation; see `registry`."""

from clusterx.compiled import forget_stale

forget_stale(__file__)

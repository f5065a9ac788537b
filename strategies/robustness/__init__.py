"""Owns what tells a strategy from luck: searches, out-of-sample plans and the statistics of overfitting.

Pure: arrays and frozen values in, arrays and frozen values out; nothing here runs a backtest. Scores are always to be
maximised; Sharpe ratios are per period unless a name says annual; every random draw takes a seed.
"""

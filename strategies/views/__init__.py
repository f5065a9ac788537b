"""Pages of Strategies: the library, one's own strategies, their editors, runs and reports."""

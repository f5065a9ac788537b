"""Every write of strategies."""

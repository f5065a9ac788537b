"""Every write of trading.

Locks are taken in one order, always: the account, then its deployment, order and position. The account's row lock
serialises whatever changes its money, so two workers never decide on the same cash; the rows below are locked as
they are needed. Nothing waits for a network inside a transaction: news leaves after commit, through
``trading.signals``.
"""

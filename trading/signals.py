"""News of this app, sent after commit. Receivers carry it on; none of them decides anything."""

from django.dispatch import Signal

order_waiting = Signal()
"""Something is to be told to an account's venue: ``account_id: int``."""

test_waiting = Signal()
"""A connection is to be tested: ``account_id: int``."""

account_news = Signal()
"""Something happened to an account: ``account_id: int``, ``event_id: int``, ``changed: tuple[tuple[str, int],
...]``, pairs of "order", "fill", "position" or "deployment" and the row's key."""

bar_looked_at = Signal()
"""A deployment looked at a bar, whatever came of it: ``account_id: int``, ``evaluation_id: int``."""

equity_marked = Signal()
"""An account was valued: ``portfolio: trading.selectors.Portfolio``."""

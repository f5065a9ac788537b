"""``{{ session.user_agent|browser }}``: which browser on which system."""

from __future__ import annotations

from django import template

from clusterx.accounts.browsers import in_words

register = template.Library()
register.filter("browser", in_words)

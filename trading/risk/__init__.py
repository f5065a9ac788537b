"""The risk check: may this order go out? Pure rules over frozen facts, every answer with its reason and numbers."""

from trading.risk.facts import AccountState, Limits, Market, Proposal
from trading.risk.rules import RULES, Rejection, Verdict, judge

__all__ = ["RULES", "AccountState", "Limits", "Market", "Proposal", "Rejection", "Verdict", "judge"]

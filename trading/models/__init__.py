"""Accounts, deployments, and the facts of trading. Money and quantities are Decimal.

The facts are fills and cash flows: positions and cash are derived from them and kept beside them in the same transaction.
"""

from trading.models.accounts import Account, Connection, Difference, Holding, Lease
from trading.models.books import CashFlow, EquitySnapshot, Position
from trading.models.deployments import Deployment, Evaluation
from trading.models.orders import Fill, Instruction, Order
from trading.models.paper import PaperBook, PaperFill, PaperHolding, PaperOrder

__all__ = [
    "Account",
    "CashFlow",
    "Connection",
    "Deployment",
    "Difference",
    "EquitySnapshot",
    "Evaluation",
    "Fill",
    "Holding",
    "Instruction",
    "Lease",
    "Order",
    "PaperBook",
    "PaperFill",
    "PaperHolding",
    "PaperOrder",
    "Position",
]

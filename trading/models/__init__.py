"""Accounts, deployments, and the facts of trading. Money and quantities are Decimal.

The facts are fills and cash flows: positions and cash are derived from them and kept beside them in the same transaction.
"""

from trading.models.accounts import Account, Connection, Difference, Holding, Lease
from trading.models.books import CashFlow, EquitySnapshot, Position
from trading.models.deployments import Deployment, Evaluation
from trading.models.orders import Fill, Instruction, Order
from trading.models.paper import PaperBook, PaperFill, PaperHolding, PaperOrder
from trading.models.risk import Breakers, Panic, Platform

__all__ = [
    "Account",
    "Breakers",
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
    "Panic",
    "PaperBook",
    "PaperFill",
    "PaperHolding",
    "PaperOrder",
    "Platform",
    "Position",
]

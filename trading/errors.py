"""What people are told when something about trading cannot be done, in the language that is active when it is raised."""

from __future__ import annotations

from clusterx.errors import DomainError


class InvalidBalance(DomainError):
    """The starting balance is outside what a paper account may have."""

    code = "invalid-starting-balance"


class UnknownCurrency(DomainError):
    """Accounts are not kept in that currency."""

    code = "unknown-currency"


class NameTaken(DomainError):
    """The owner has an account of that name."""

    code = "name-taken"
    http_status = 409


class TooMany(DomainError):
    """A limit of how many there may be is reached."""

    code = "too-many"
    http_status = 409


class NotDeployable(DomainError):
    """A strategy cannot trade there: the instrument, its currency, the timeframe or the allocation does not fit."""

    code = "not-deployable"


class DeploymentDeleted(DomainError):
    """The deployment was deleted."""

    code = "deployment-deleted"
    http_status = 409


class HoldsPosition(DomainError):
    """The deployment holds a position, which must be closed first."""

    code = "deployment-holds-position"
    http_status = 409

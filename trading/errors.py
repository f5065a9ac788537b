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


class PanicUnderWay(DomainError):
    """The account is on its way out of everything; what would let it trade waits until that is over."""

    code = "panic-under-way"
    http_status = 409


class UnknownBroker(DomainError):
    """There is no such broker, or it has no such market or play money."""

    code = "unknown-broker"


class InvalidCredentials(DomainError):
    """What was entered cannot be a key: something is missing or malformed. The message never holds what was entered."""

    code = "invalid-credentials"


class LiveNotConfirmed(DomainError):
    """Real money was asked for without saying that one knows."""

    code = "live-money-not-confirmed"


class CannotTest(DomainError):
    """There is no key to test."""

    code = "no-key"
    http_status = 409


class HasBooks(DomainError):
    """The account has traded or could have: it is kept."""

    code = "account-has-books"
    http_status = 409


class InvalidTerms(DomainError):
    """A fee, slippage, latency or share of volume that the paper venue does not have."""

    code = "invalid-terms"

"""Writing strategies: each save is a version that nobody changes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any, Final

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from clusterx.accounts.models import User
from strategies import signals
from strategies.errors import InvalidVersion, NameTaken, StrategyArchived, TooMany
from strategies.models import Inspection, UserStrategy, Version
from strategies.services.subjects import text_hash

STRATEGIES_LIMIT: Final = 500
VERSIONS_LIMIT: Final = 5_000
LONGEST_SOURCE: Final = 200_000  # characters; the sandbox takes 256 KiB with the parameters
LONGEST_RULES: Final = 100_000


@transaction.atomic
def create_strategy(
    *, owner: User, name: str, kind: str = "code", source: str = "", rules: Mapping[str, Any] | None = None, notes: str = "",
    at: datetime,
) -> Version:  # fmt: skip
    """A new strategy with its first version.

    Raises
    ------
    InvalidVersion
        If it holds nothing, too much, or not what its kind wants.
    NameTaken, TooMany
        If the owner has one of that name, or 500 of them.
    """
    strategy = _create(owner=owner, name=name, kind=kind, at=at)
    return _append(strategy, source=source, rules=rules, notes=notes, at=at)


@transaction.atomic
def save_version(
    *, strategy_id: int, source: str = "", rules: Mapping[str, Any] | None = None, notes: str = "", at: datetime
) -> Version:
    """The next version. What the newest one holds already is not saved again: that one is given back.

    Raises InvalidVersion, TooMany, and StrategyArchived if the strategy was put away.
    """
    strategy = UserStrategy.objects.select_for_update().get(pk=strategy_id)
    if strategy.archived_at is not None:
        raise StrategyArchived(_("The strategy was put away. Bring it back first."))
    return _append(strategy, source=source, rules=rules, notes=notes, at=at)


@transaction.atomic
def fork(*, version_id: int, owner: User, name: str, at: datetime) -> Version:
    """A strategy of one's own that begins with what ``version`` holds. Trials of one's own go on counting.

    Raises NameTaken and TooMany. Whether the owner may read the version is the caller's to know.
    """
    version = Version.objects.select_related("strategy").get(pk=version_id)
    strategy = _create(owner=owner, name=name, kind=version.strategy.kind, at=at, forked_from=version)
    return _append(strategy, source=version.source, rules=version.rules, notes="", at=at)


@transaction.atomic
def rename(*, strategy_id: int, name: str) -> UserStrategy:
    """Raises NameTaken."""
    strategy = UserStrategy.objects.select_for_update().get(pk=strategy_id)
    strategy.name = _named(name)
    _once(strategy, update_fields=["name"])
    return strategy


@transaction.atomic
def archive(*, strategy_id: int, at: datetime) -> UserStrategy:
    """Put a strategy away: its versions, runs and results stay. A second call changes nothing."""
    strategy = UserStrategy.objects.select_for_update().get(pk=strategy_id)
    if strategy.archived_at is None:
        strategy.archived_at = at
        strategy.save(update_fields=["archived_at"])
    return strategy


@transaction.atomic
def restore(*, strategy_id: int) -> UserStrategy:
    """Bring a strategy back. Raises NameTaken if another one has its name by now."""
    strategy = UserStrategy.objects.select_for_update().get(pk=strategy_id)
    strategy.archived_at = None
    _once(strategy, update_fields=["archived_at"])
    return strategy


def _create(*, owner: User, name: str, kind: str, at: datetime, forked_from: Version | None = None) -> UserStrategy:
    if kind not in UserStrategy.Kind.values:
        raise InvalidVersion(
            _("The kind must be one of %(offered)s, was %(found)s.")
            % {"offered": ", ".join(UserStrategy.Kind.values), "found": kind},
            field="kind",
        )
    if UserStrategy.objects.filter(owner=owner).count() >= STRATEGIES_LIMIT:
        raise TooMany(_("A person may have %(limit)s strategies.") % {"limit": STRATEGIES_LIMIT}, limit=STRATEGIES_LIMIT)
    strategy = UserStrategy(owner=owner, name=_named(name), kind=kind, created_at=at, forked_from=forked_from)
    if forked_from is not None and forked_from.strategy.owner_id == owner.pk:
        strategy.family = forked_from.strategy.family
    _once(strategy)
    return strategy


def _named(name: str) -> str:
    name = " ".join(name.split())
    if not 1 <= len(name) <= 80:
        raise InvalidVersion(_("The name must have 1 to 80 characters."), field="name")
    return name


def _once(strategy: UserStrategy, **how: Any) -> None:
    try:
        with transaction.atomic():
            strategy.save(**how)
    except IntegrityError as error:
        # Two requests may pass any check made before; the constraint is what holds.
        if "strategy_name_once" not in str(error):
            raise
        raise NameTaken(_("You have a strategy called “%(name)s” already.") % {"name": strategy.name}, field="name") from None


def _append(strategy: UserStrategy, *, source: str, rules: Mapping[str, Any] | None, notes: str, at: datetime) -> Version:
    source = source.replace("\r\n", "\n")
    _check(strategy, source, rules)
    digest = text_hash(source, rules)
    newest = strategy.versions.select_related("inspection").first()
    if newest is not None and newest.sha256 == digest:
        return newest
    number = newest.number + 1 if newest is not None else 1
    if number > VERSIONS_LIMIT:
        raise TooMany(_("A strategy may have %(limit)s versions.") % {"limit": VERSIONS_LIMIT}, limit=VERSIONS_LIMIT)
    version = Version.objects.create(
        strategy=strategy, number=number, source=source, rules=rules, sha256=digest, notes=notes[:500], created_at=at
    )
    Inspection.objects.create(version=version)
    told = partial(signals.version_saved.send_robust, sender=Version, version_id=version.pk)
    transaction.on_commit(told, robust=True)
    return version


def _check(strategy: UserStrategy, source: str, rules: Mapping[str, Any] | None) -> None:
    if strategy.kind == UserStrategy.Kind.CODE:
        if rules is not None or not source.strip():
            raise InvalidVersion(_("A strategy in Python needs its source and nothing else."), field="source")
        if len(source) > LONGEST_SOURCE or "\0" in source:
            raise InvalidVersion(
                _("The source must be text of at most %(limit)s characters.") % {"limit": LONGEST_SOURCE}, field="source"
            )
        return
    if source or not isinstance(rules, Mapping) or not rules:
        raise InvalidVersion(_("A strategy made of rules needs its rules and nothing else."), field="rules")
    if len(json.dumps(rules)) > LONGEST_RULES:
        raise InvalidVersion(_("The rules are too long."), field="rules")

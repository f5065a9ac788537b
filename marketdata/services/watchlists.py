"""Watchlists: each person's own."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import ClassVar

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from clusterx.accounts.models import User
from clusterx.errors import DomainError
from marketdata.models import Instrument, Watchlist, WatchlistItem

MOST_LISTS = 50
MOST_INSTRUMENTS = 200


class NameTaken(DomainError):
    code: ClassVar[str] = "name-taken"
    http_status: ClassVar[int] = 409


class TooMany(DomainError):
    code: ClassVar[str] = "too-many"
    http_status: ClassVar[int] = 409


class UnknownInstrument(DomainError):
    code: ClassVar[str] = "unknown-instrument"


def of(owner: User) -> QuerySet[Watchlist]:
    return Watchlist.objects.filter(owner=owner).prefetch_related("items__instrument__venue")


@transaction.atomic
def create(*, owner: User, name: str, refs: Sequence[str] = ()) -> Watchlist:
    """Raises NameTaken, TooMany or UnknownInstrument."""
    if Watchlist.objects.filter(owner=owner).count() >= MOST_LISTS:
        raise TooMany(_("A person has %(limit)s watchlists at most.") % {"limit": MOST_LISTS}, limit=MOST_LISTS)
    _free(owner, name)
    watchlist = Watchlist.objects.create(owner=owner, name=name)
    _fill(watchlist, refs)
    return of(owner).get(pk=watchlist.pk)


@transaction.atomic
def change(*, watchlist_id: int, name: str | None = None, refs: Sequence[str] | None = None) -> Watchlist:
    """Rename it, replace its instruments, or both. A second call changes nothing.

    Raises NameTaken, TooMany or UnknownInstrument. An instrument that was switched off since it was put on the list stays.
    """
    watchlist = Watchlist.objects.select_for_update().get(pk=watchlist_id)
    if name is not None and name != watchlist.name:
        _free(watchlist.owner, name)
        watchlist.name = name
        watchlist.save(update_fields=["name"])
    if refs is not None:
        already = set(watchlist.items.values_list("instrument_id", flat=True))
        watchlist.items.all().delete()
        _fill(watchlist, refs, already)
    return of(watchlist.owner).get(pk=watchlist.pk)


def _free(owner: User, name: str) -> None:
    if Watchlist.objects.filter(owner=owner, name=name).exists():
        raise NameTaken(_("You have a watchlist called “%(name)s” already.") % {"name": name}, field="name")


def _fill(watchlist: Watchlist, refs: Sequence[str], already: Collection[int] = ()) -> None:
    wanted = list(dict.fromkeys(refs))
    if len(wanted) > MOST_INSTRUMENTS:
        said = _("A watchlist holds %(limit)s instruments at most.") % {"limit": MOST_INSTRUMENTS}
        raise TooMany(said, field="instruments", limit=MOST_INSTRUMENTS)
    known = {i.ref: i for i in Instrument.objects.filter(Q(is_active=True) | Q(pk__in=already), ref__in=wanted)}
    for ref in wanted:
        if ref not in known:
            raise UnknownInstrument(_("There is no instrument %(ref)s.") % {"ref": ref}, field="instruments")
    WatchlistItem.objects.bulk_create(
        WatchlistItem(watchlist=watchlist, instrument=known[ref], position=place) for place, ref in enumerate(wanted)
    )

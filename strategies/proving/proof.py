"""``prove``: many small questions to a strategy, and what its answers say of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from clusterx.errors import DomainError
from marketdata.bars import Bars
from strategies.proving import cuts as places
from strategies.proving.asking import Questions
from strategies.proving.decisions import Decisions, Given, Parting, alike, parting
from strategies.proving.history import TOLERANCE as NEWEST_TOLERANCE
from strategies.proving.history import comparing, one_row, sampled, smallest
from strategies.proving.poison import KINDS, copied, poisoned, unfinished
from strategies.proving.subjects import Answering, Stopped
from strategies.proving.verdict import Check, Verdict

FEWEST_BARS: Final = 50
LIVE_BARS: Final = 300
# From here on a declared history is said to be too large: it delays a start and slows every live answer.
GENEROUS: Final = (4, 100)
NAMES_OF_ORDERS: Final = (1, 12, 13)  # id, parent, group: an order more earlier moves them all


class InvalidProof(DomainError):
    """There is nothing that could be proved with what was given."""

    code = "invalid-proof"


def prove(
    answer: Answering,
    bars: Given,
    *,
    declared: int | None = None,
    source: str = "",
    cuts: int | None = None,
    poisons: int | None = None,
    seed: int = 1,
    elsewhere: Mapping[str, Answering] | None = None,
    heard: Callable[[Check], None] | None = None,
) -> Verdict:
    """Whether ``answer`` decides by what it could have known, and by that alone.

    Parameters
    ----------
    answer : callable
        From bars to what a strategy returns: (n,) or (n, k) exposures, ``Signals``, or ``Intents``. Where it has them, these
        attributes are used: ``prefixes(bars, cuts)`` answers many prefixes at once, ``newest(bars, start)`` bar by bar as live
        does, ``narrowed(history)`` limits what an event-driven strategy sees, ``declared`` is the history it declares, and
        ``apart`` says that every question gets a process of its own. See ``subjects``.
    bars : Bars or Panel
        n closed bars, 50 at least; twice the declared history or more, or that is not checked.
    declared : int, optional
        Bars of history that the strategy says it needs.
    source : str, optional
        Its source, to name a line where a check fails.
    cuts, poisons : int, optional
        How many prefixes and how many poisoned futures are asked about: by default 240 and 28, for event-driven strategies,
        which are slower, 40 and 7; 7 futures for an answer that is apart.
    seed : int
        Where the cuts are and what the noise is. The same seed asks the same questions.
    elsewhere : mapping, optional
        The same strategy asked in other circumstances, by their names: another process, another time zone.
    heard : callable, optional
        Hears of each check when it was made: for whoever watches.

    Raises
    ------
    InvalidProof
        If there are too few bars. Whatever the strategy does is a failure in the verdict, never an exception.
    """
    if len(bars) < FEWEST_BARS:
        raise InvalidProof(f"a proof needs {FEWEST_BARS} bars or more, had {len(bars)}", field="bars")
    if declared is None:
        declared = getattr(answer, "declared", None)
    slow = getattr(answer, "narrowed", None) is not None or getattr(answer, "events", False)
    if cuts is None:
        cuts = 40 if slow else 240
    if poisons is None:
        poisons = len(KINDS) if slow or getattr(answer, "apart", False) else 4 * len(KINDS)
    prover = Prover(answer, bars, source, seed, heard=heard, declared=declared)
    return prover.run(cuts, poisons, elsewhere or {})


@dataclass
class Prover(Questions):
    """The checks, one after the other."""

    declared: int | None = None
    needed: int | None = None

    def run(self, cuts: int, poisons: int, elsewhere: Mapping[str, Answering]) -> Verdict:
        try:
            self._run(cuts, poisons, elsewhere)
        except Stopped as error:
            self.fail("activity", f"It gives no answer to {len(self.given):,} bars: {error.message}", line=error.line)
        return Verdict(
            len(self.given), self.seed, tuple(self.checks), tuple(self.failures), tuple(self.hints), self.declared, self.needed
        )

    def _run(self, cuts: int, poisons: int, elsewhere: Mapping[str, Answering]) -> None:
        n = len(self.given)
        # The short ones first: what a strategy keeps from one call to the next is not yet the future.
        early = dict(self.prefixes(places.anywhere(n, cuts // 2, self.seed)))
        handed = copied(self.given)
        self.whole = self.ask(handed)
        self.check_activity()
        self.check_repeat(handed)
        if not self.clean("repeat"):
            return  # what answers as it pleases fails everything else as well, and none of that would say why
        late = dict(self.prefixes(places.near(self.whole.events, self.whole.kinds, n, cuts - len(early), self.seed)))
        self.check_prefixes({**early, **late})
        self.check_poison(poisons, sorted({**early, **late}))
        self.check_last_bar()
        if not self.apart:
            self.check_memory(early)
            self.check_hidden({**early, **late})
        if elsewhere:
            self.check_elsewhere(elsewhere)
        self.check_history()

    # -- the checks -------------------------------------------------------------------------------------------------

    def check_activity(self) -> None:
        idle = not len(self.whole.events)
        if idle:
            self.fail(
                "activity", "It decides nothing on these bars, so that nothing can be proved; choose others, or parameters"
            )
        self.made(Check("activity", 1, not idle))

    def check_prefixes(self, answers: Mapping[int, Decisions | Stopped]) -> None:
        found: list[tuple[int, Parting]] = []
        stopped: list[tuple[int, Stopped]] = []
        for cut, asked in sorted(answers.items()):
            if isinstance(asked, Stopped):
                stopped.append((cut, asked))
            elif (parts := parting(self.whole, asked, cut)) is not None:
                found.append((cut, parts))
        if found:
            cut, parts = min(found, key=lambda one: (one[0] - 1 - one[1].bar, one[0] < 30, one[0]))
            cause = self.cause(parts.bar, cut)
            removed = f"bar {cause} is removed" if cause is not None else f"the bars from {cut} on are removed"
            message = f"Bar {parts.bar} changes when {removed}: {changed(parts)}"
            self.fail("prefix", message, bar=parts.bar, cause=cause, times=len(found), cut=cut, **told(parts))
        if stopped:
            cut, error = stopped[0]
            first = "first bar alone" if cut == 1 else f"first {cut:,} bars"
            message = f"It gives no answer to the {first}: {error.message}"
            self.fail("prefix", message, times=len(stopped), line=error.line, cut=cut)
        self.made(Check("prefix", len(answers), not (stopped or found)))

    def cause(self, bar: int, cut: int) -> int | None:
        """The bar without which the decision of ``bar`` is not what it is on the whole series."""
        low, high = max(cut, bar + 1), len(self.given)
        try:
            while high - low > 1:
                middle = (low + high) // 2
                if same_at(self.whole, self.ask(copied(self.given, middle)), bar):
                    high = middle
                else:
                    low = middle
        except Stopped:
            return None
        return high - 1

    def check_poison(self, count: int, asked: Sequence[int]) -> None:
        random = np.random.default_rng([self.seed, 2])
        kinds = list(KINDS)
        cuts: list[int] = random.choice(asked, count).tolist() if len(asked) else []
        found: list[tuple[int, str, Parting]] = []
        stopped = 0
        for i, cut in enumerate(cuts):
            kind = kinds[i % len(kinds)]
            try:
                answered = self.ask(poisoned(self.given, cut, kind, self.seed))
            except Stopped as error:
                stopped += 1
                hint = f"It gives no answer when the future is {kind}: {error.message}."
                if not any(known.startswith("It gives no answer when") for known in self.hints):
                    self.hints.append(hint)
                continue
            if (parts := parting(self.whole, answered, cut)) is not None:
                found.append((cut, kind, parts))
        if found:
            cut, kind, parts = min(found, key=lambda one: one[0] - one[2].bar)
            message = f"Bar {parts.bar} changes when the bars from {cut} on are replaced ({kind}): {changed(parts)}"
            self.fail("poison", message, bar=parts.bar, times=len(found), cut=cut, kind=kind, **told(parts))
        if stopped > count // 2:
            self.fail("poison", f"It gives no answer on {stopped} of {count} other futures, so that they prove nothing")
        self.made(Check("poison", len(cuts), not found and stopped <= count // 2))

    def check_last_bar(self) -> None:
        n, found = len(self.given), None
        try:
            for other in (unfinished(self.given), unfinished(self.given, 0.0), copied(self.given, n - 1)):
                found = found or parting(self.whole, self.ask(other), n - 1)
        except Stopped as error:
            self.fail("last-bar", f"It gives no answer when the last bar is unfinished: {error.message}", line=error.line)
        if found:
            message = f"Bar {found.bar} changes when the last bar, {n - 1}, is unfinished or missing: {changed(found)}"
            self.fail("last-bar", message, bar=found.bar, cause=n - 1, **told(found))
        self.made(Check("last-bar", 3, self.clean("last-bar")))

    def check_repeat(self, handed: Given) -> None:
        times = 2 if self.apart or not self.whole.dense else 4
        try:
            for _ in range(times):
                again = self.ask(copied(self.given))
                if again.bytes != self.whole.bytes and self.clean("repeat"):
                    parts = parting(self.whole, again, len(self.given), tolerance=0.0)
                    where = f"bar {parts.bar}: {changed(parts)}" if parts else "its last digits"
                    self.fail("repeat", f"The same bars asked twice give two answers, at {where}", bar=parts and parts.bar)
        except Stopped as error:
            self.fail("repeat", f"It gives no answer when it is asked again: {error.message}", line=error.line)
        if not self.apart and any(
            not np.array_equal(one, other) for one, other in zip(columns(handed), columns(self.given), strict=True)
        ):
            self.fail("repeat", "It changes the bars that it was given")
        self.made(Check("repeat", times, self.clean("repeat")))

    def check_memory(self, early: Mapping[int, Decisions | Stopped]) -> None:
        """Once the whole series was seen, short questions get the answers they got before; and numbers count, not arrays."""
        count = 0
        try:
            for cut, before in list(early.items())[:: max(1, len(early) // 8)]:
                count += 1
                again = self.ask(copied(self.given, cut))
                if isinstance(before, Decisions) and again.bytes != before.bytes and self.clean("memory"):
                    parts = parting(before, again, cut, tolerance=0.0)
                    where = f"bar {parts.bar}: {changed(parts)}" if parts else "its last digits"
                    message = f"The first {cut:,} bars get another answer once the later ones were seen, at {where}"
                    self.fail("memory", message, bar=parts and parts.bar, cut=cut)
            half = len(self.given) // 2
            same = copied(self.given, half)
            self.ask(same)
            other = poisoned(same, half // 4, "mirrored", self.seed)
            for column, values in zip(columns(same), columns(other), strict=True):
                column[:] = values
            count += 1
            if self.ask(same).bytes != self.ask(copied(other)).bytes and self.clean("memory"):
                self.fail("memory", "It answers from memory: other prices in the same arrays get the answer of before")
        except Stopped as error:
            self.fail("memory", f"It gives no answer when it is asked again: {error.message}", line=error.line)
        self.made(Check("memory", count, self.clean("memory")))

    def check_hidden(self, answers: Mapping[int, Decisions | Stopped]) -> None:
        """The beginning of a longer array is given: what lies behind it must make no difference."""
        whole, count = copied(self.given), 0
        some = [(cut, asked) for cut, asked in answers.items() if isinstance(asked, Decisions)]
        for cut, asked in some[:: max(1, len(some) // 16)]:
            count += 1
            try:
                parts = parting(asked, self.ask(whole[:cut]), cut)
            except Stopped as error:
                self.fail("hidden", f"It gives no answer to bars that are part of longer arrays: {error.message}")
                break
            if parts is not None:
                message = (
                    f"Bar {parts.bar} changes when later bars lie in memory behind those that were given: {changed(parts)}"
                )
                self.fail("hidden", message, bar=parts.bar, cut=cut, **told(parts))
                break
        self.made(Check("hidden", count, self.clean("hidden")))

    def check_elsewhere(self, elsewhere: Mapping[str, Answering]) -> None:
        for where, answer in elsewhere.items():
            try:
                parts = parting(self.whole, self.ask(copied(self.given), answer), len(self.given))
                if parts is not None:
                    message = f"In {where} bar {parts.bar} is decided otherwise: {changed(parts)}"
                    self.fail("elsewhere", message, bar=parts.bar, where=where, **told(parts))
            except Stopped as error:
                self.fail("elsewhere", f"In {where} it gives no answer: {error.message}", line=error.line)
        self.made(Check("elsewhere", len(elsewhere), self.clean("elsewhere")))

    def check_history(self) -> None:
        n, declared = len(self.given), self.declared
        live = getattr(self.answer, "newest", None)
        if self.failures and not self.clean("prefix", "poison", "memory"):
            # Histories of a strategy that looks ahead, or answers as it pleases, say nothing.
            self.made(Check("history", 0, True, "not made: the checks above have failed"))
        elif live is not None and self.whole.dense and isinstance(self.given, Bars):
            self.check_live(self.given, live)
        elif not self.whole.dense and getattr(self.answer, "narrowed", None) is None:
            self.made(Check("history", 0, True, "not made: an event-driven file keeps what it needs itself"))
        elif declared is not None and 2 * declared > n:
            note = f"not made: {declared:,} bars of history need a proof on {2 * declared:,} bars or more, had {n:,}"
            self.made(Check("history", 0, True, note))
            self.hints.append(f"The history was not checked: {note.removeprefix('not made: ')}.")
        else:
            self.check_windows(declared)

    def check_windows(self, declared: int | None) -> None:
        n = len(self.given)
        at = sampled(self.whole, 24 if not self.apart else 6, self.seed, max(declared or 0, n // 2))
        agrees = comparing(self.answer, self.given, self.whole, at)
        try:
            parts = agrees(declared) if declared is not None else None
            if declared is None or parts is not None or (self.whole.dense and not self.apart):
                self.needed = smallest(agrees, max(declared or 1, n // 2))
        except Exception as error:
            self.fail("history", f"It gives no answer to fewer bars: {type(error).__name__}: {error}")
            parts = None
        if parts is not None:
            self.too_short(parts)
        elif declared is not None and self.needed is not None and declared > GENEROUS[0] * self.needed + GENEROUS[1]:
            self.hints.append(f"It declares {declared:,} bars of history; {self.needed:,} did on these bars.")
        self.made(Check("history", len(at) if self.whole.dense else 1, self.clean("history")))

    def check_live(self, bars: Bars, live: Any) -> None:
        """What a live session answers, with as many bars as the strategy declares, is what the whole series says."""
        start = max(1, len(bars) - LIVE_BARS, len(bars) // 2)
        parts, count = None, 0
        levels = ("exposure", "stop", "take profit", "trail")
        picked = [levels.index(name) for name in self.whole.names]
        try:
            for bar, row in enumerate(live(bars, start), start=start):
                count += 1
                asked = Decisions(1, np.zeros(1, np.int64), row[None, picked], self.whole.names, True)
                if (found := parting(one_row(self.whole, bar), asked, 1, tolerance=NEWEST_TOLERANCE)) is not None:
                    parts = found._replace(bar=bar)
                    break
            if parts is not None:
                agrees = comparing(self.answer, bars, self.whole, np.array([parts.bar, len(bars) - 1]))
                self.needed = smallest(agrees, parts.bar)
        except Stopped as error:
            self.fail("history", f"It gives no answer in a live session: {error.message}", line=error.line)
        if parts is not None:
            self.too_short(parts)
        self.made(Check("history", count, self.clean("history")))

    def too_short(self, parts: Parting) -> None:
        says = "too little history" if self.declared is None else f"{self.declared:,} bars of history"
        needs = "more than these bars can show" if self.needed is None else f"{self.needed:,} or more"
        otherwise = f"with what it declares bar {parts.bar} is decided otherwise, {changed(parts)}"
        message = f"It declares {says} and needs {needs}: {otherwise}"
        self.fail("history", message, bar=parts.bar, **told(parts))


def same_at(one: Decisions, other: Decisions, bar: int) -> bool:
    """Whether both decide the same at ``bar``; the numbering of orders aside."""
    first, second = (whole.rows[whole.bar == bar] for whole in (one, other))
    if not one.dense:
        first, second = (np.delete(rows, NAMES_OF_ORDERS, axis=1) for rows in (first, second))
    return first.shape == second.shape and bool(alike(first, second, 1e-12).all())


def columns(given: Given) -> list[Any]:
    return [column for bars in ((given,) if isinstance(given, Bars) else given.bars) for column in bars.columns]


def changed(parts: Parting) -> str:
    one, other = ("none" if np.isnan(value) else f"{value:.6g}" for value in (parts.one, parts.other))
    if one == other:
        one, other = repr(parts.one), repr(parts.other)
    return f"{parts.what} {one} becomes {other}"


def told(parts: Parting) -> dict[str, Any]:
    return {"what": parts.what, "was": parts.one, "becomes": parts.other}

"""What people decide about risk: limits, trading states, the kill switch, and what becomes of each."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.utils.translation import override

from clusterx.events.models import Event
from tests.factories import START, AccountFactory, DeploymentFactory, UserFactory
from tests.trading.conftest import RISING, Market, deployed
from trading import signals
from trading.activity import described
from trading.errors import PanicUnderWay
from trading.models import Account, Deployment, Order, Panic, Platform
from trading.risk.breakers import Breaker, BreakerState, ReasonNeeded
from trading.risk.excess import Held, excesses
from trading.risk.findings import Finding
from trading.risk.numbers import Number, Unit
from trading.risk.parameters import InvalidProfile
from trading.risk.profile import profile
from trading.selectors import risk as standings
from trading.services.panic import panic
from trading.services.risk import reset_breaker, set_account_state, set_deployment_state, set_platform, set_risk
from trading.wording import number, rejection, sentence

pytestmark = pytest.mark.django_db
D = Decimal


@pytest.fixture
def account() -> Account:
    return AccountFactory(risk=AccountFactory._meta.model._meta.get_field("risk").default())


def choose(account: Account, appetite: int, **overrides: object) -> None:
    set_risk(account_id=account.pk, appetite=appetite, overrides=overrides, at=START, actor=account.owner)
    account.refresh_from_db()


def test_an_appetite_sets_every_limit_and_tells_what_changed(account: Account) -> None:
    choose(account, 3, leverage="2")
    assert account.risk_profile == profile(3, {"leverage": "2"})
    event = Event.objects.get(type="account.risk-changed")
    assert (event.payload["appetite"], event.payload["before"]) == (3, 5)
    assert event.payload["changed"]["leverage"] == ["1", "2"]
    assert event.payload["changed"]["daily_loss"] == ["0.02", "0.01"]
    assert "losses_policy" not in event.payload["changed"]  # the same at both
    assert event.actor == account.owner


def test_the_same_limits_a_second_time_change_nothing(account: Account) -> None:
    choose(account, 3, leverage="2")
    choose(account, 3, leverage=D("2.0"))
    assert Event.objects.filter(type="account.risk-changed").count() == 1


def test_what_was_set_by_hand_goes_back_to_the_appetite(account: Account) -> None:
    choose(account, 5, leverage="2")
    choose(account, 5)
    assert account.risk_profile == profile(5)
    told = [one.text for one in described(Event.objects.filter(type="account.risk-changed"))]
    assert told == ["Risk limits set by hand: Leverage 1× → 2×.", "Risk limits set by hand: Leverage 2× → 1×."]


@pytest.mark.parametrize(
    ("appetite", "overrides", "field", "french"),
    [
        (11, {}, "appetite", "L’appétit pour le risque doit être de 1 à 10, reçu\u202f: 11."),
        (5, {"daily_loss": "2"}, "daily_loss", "«\u202fPerte du jour\u202f» doit être de 0,05\u00a0% à 100,0\u00a0%."),
        (5, {"daily_loss": "x"}, "daily_loss", "«\u202fPerte du jour\u202f» doit être un nombre, reçu\u202f: x."),
        (5, {"price_age": "1.5"}, "price_age", "«\u202fÂge toléré du prix\u202f» doit être un nombre entier, reçu\u202f: 1.5."),
        (5, {"losses_policy": "x"}, "losses_policy", None),
        (5, {"luck": "1"}, "luck", "Il n’y a pas de limite nommée luck."),
    ],
)  # fmt: skip
def test_limits_that_cannot_be_are_refused_in_the_language_of_the_moment(
    account: Account, appetite: int, overrides: dict[str, object], field: str, french: str | None
) -> None:
    with override("fr"), pytest.raises(InvalidProfile) as refused:
        choose(account, appetite, **overrides)
    assert refused.value.facts["field"] == field
    assert french is None or refused.value.message == french
    account.refresh_from_db()
    assert account.risk_profile == profile(5)
    assert not Event.objects.exists()


def test_an_account_is_restricted_and_let_go_with_a_reason(account: Account) -> None:
    def ask(state: str, reason: str) -> bool:
        return set_account_state(account_id=account.pk, state=state, reason=reason, at=START, actor=account.owner)

    for state in ("reduce-only", "halted", "active"):
        with pytest.raises(ReasonNeeded):
            ask(state, "  ")
        assert ask(state, f"Because {state}.") is True
        assert ask(state, "") is False  # it is so already
        account.refresh_from_db()
        assert account.state == state
    told = [(event.payload["state"], event.payload["reason"], event.actor) for event in Event.objects.order_by("pk")]
    assert told == [(state, f"Because {state}.", account.owner) for state in ("reduce-only", "halted", "active")]
    assert account.state_reason == ""


def test_nobody_trades_on_while_panic_is_under_way(market: Market) -> None:
    market.close(*RISING)
    account = AccountFactory()
    deployment = deployed(account, market)
    market.trade(deployment, 104.0)
    begun = panic(account_id=account.pk, reason="The news.", at=market.now, actor=account.owner)
    assert begun.done_at is None
    with pytest.raises(PanicUnderWay):
        set_account_state(account_id=account.pk, state="active", reason="Calm.", at=market.now, actor=account.owner)
    market.work()
    assert Panic.objects.get().done_at is not None
    assert set_account_state(account_id=account.pk, state="active", reason="Calm.", at=market.now, actor=account.owner)


def test_panic_is_dispatched_also_where_only_a_cancellation_is_awaited(
    market: Market, django_capture_on_commit_callbacks: object
) -> None:
    """The order whose cancellation was asked for needs no new instruction, and still nobody must wait for a sweep."""
    market.close(*[100 + (n % 3) for n in range(20)], *RISING)
    account = AccountFactory()
    market.trade(deployed(account, market), 104.0)
    stop = Order.objects.get(purpose="stop")
    Order.objects.filter(pk=stop.pk).update(status="cancelling")
    stop.instructions.create(account=account, kind="cancel", outcome="sending", created_at=market.now)
    heard: list[int] = []

    def hear(*, account_id: int, **_: object) -> None:
        heard.append(account_id)

    signals.order_waiting.connect(hear)
    try:
        with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]
            panic(account_id=account.pk, reason="The news.", at=market.now, actor=None)
    finally:
        signals.order_waiting.disconnect(hear)
    assert heard == [account.pk]


def test_a_deployment_that_may_only_close_opens_nothing(market: Market) -> None:
    market.close(*RISING)
    account = AccountFactory()
    deployment = deployed(account, market)

    def ask(state: str, reason: str) -> bool:
        return set_deployment_state(deployment_id=deployment.pk, state=state, reason=reason, at=market.now, actor=account.owner)

    with pytest.raises(ReasonNeeded):
        ask("reduce-only", "")
    assert ask("reduce-only", "Odd fills.")
    assert not ask("reduce-only", "Odd fills.")
    evaluation, *_ = market.trade(Deployment.objects.get(), 104.0)
    assert (evaluation.outcome, evaluation.reason_code) == ("rejected", "reduce-only")
    event = Event.objects.get(type="deployment.state-changed")
    assert standings.state_reason(deployment) == ("Odd fills.", event.occurred_at)
    (told,) = described(Event.objects.filter(type="deployment.state-changed"))
    assert told.text == f"SMA cross on {market.instrument.ref} only closes: Odd fills."


def test_the_kill_switch_holds_back_everybody_and_says_who_and_why(market: Market) -> None:
    staff = UserFactory(is_staff=True)
    with pytest.raises(ReasonNeeded):
        set_platform(state="halted", reason="", at=market.now, actor=staff)
    assert set_platform(state="halted", reason="The database moves.", at=market.now, actor=staff).changed_by == staff
    set_platform(state="halted", reason="Again.", at=market.now, actor=staff)
    (event,) = Event.objects.filter(stream="platform")
    assert (event.payload["state"], event.payload["reason"], event.actor) == ("halted", "The database moves.", staff)
    market.close(*RISING)
    evaluation, *_ = market.trade(deployed(AccountFactory(), market), 104.0)
    assert evaluation.reason_code == "halted"
    set_platform(state="active", reason="It moved.", at=market.now, actor=staff)
    assert Platform.objects.get().state == "active"


def test_a_breaker_is_reset_for_a_reason(account: Account) -> None:
    with override("fr"), pytest.raises(ReasonNeeded, match="Dites pourquoi"):
        reset_breaker(account_id=account.pk, breaker=Breaker.LOSSES, reason=" ", at=START, actor=account.owner)
    assert not reset_breaker(account_id=account.pk, breaker=Breaker.LOSSES, reason="!", at=START, actor=account.owner)


def test_an_account_that_trades_has_nothing_that_holds_it_back(account: Account) -> None:
    assert standings.standing(account).is_clear
    set_platform(state="reduce-only", reason="Maintenance.", at=START, actor=account.owner)
    held = standings.standing(account)
    assert (held.is_clear, held.state, held.is_platform_restricted, held.is_account_restricted) == (
        False, "reduce-only", True, False,
    )  # fmt: skip


# -- what would be over a limit ---------------------------------------------------------------------------------------


def test_what_is_held_is_over_a_smaller_limit_and_at_it_it_is_not() -> None:
    held = (Held("A", "BTC", D(500), D(50)), Held("B", "BTC", D(400)))
    state = BreakerState()
    limits = {
        "maximum_position": "0.05", "risk_per_trade": "0.005", "exposure_symbol": "0.09", "leverage": "0.09",
        "open_positions": 2,
    }  # fmt: skip
    assert excesses(held, D(10_000), state, profile(5, limits)) == ()
    tighter = {
        "maximum_position": "0.0499", "risk_per_trade": "0.0049", "exposure_symbol": "0.0899", "leverage": "0.0899",
        "open_positions": 1,
    }  # fmt: skip
    found = [(one.rule, one.subject, one.value.amount) for one in excesses(held, D(10_000), state, profile(5, tighter))]
    assert found == [
        ("maximum-position", "A", D("0.05")),
        ("risk-per-trade", "A", D("0.005")),
        ("too-many-positions", "", D(2)),
        ("exposure-symbol", "BTC", D("0.09")),
        ("leverage", "", D("0.09")),
    ]


def test_a_breaker_that_a_smaller_limit_would_trip_is_told_before() -> None:
    fallen = BreakerState(index=D("0.97"), equity=D(9_700))
    (daily, drawdown) = excesses((), D(9_700), fallen, profile(5, {"daily_loss": "0.03", "drawdown": "0.03"}))
    assert (daily.rule, drawdown.rule, drawdown.value.amount) == ("breaker-daily-loss", "breaker-drawdown", D("0.03"))
    assert excesses((), D(9_700), fallen, profile(5, {"daily_loss": "0.031", "drawdown": "0.031"})) == ()


# -- how a refusal is said --------------------------------------------------------------------------------------------


def test_numbers_have_the_digits_of_english_and_the_marks_of_the_language() -> None:
    assert number(Number(D("0.5"), Unit.SHARE)) == "50.0\u00a0%"
    with override("fr"):
        assert number(Number(D("1234.5"), Unit.MONEY, "USDT")) == "1\u00a0234,50\u00a0USDT"
        assert number(Number(D("-0.015"), Unit.SHARE)) == "−1,5\u00a0%"
        assert number(Number(D(10), Unit.RATE)) == "10 par minute"
        assert number(Number(D("1.5"), Unit.TIMES)) == "1,5×"
        assert number(Number(D("Infinity"), Unit.SHARE)) == "∞ %"


def test_a_refusal_is_said_in_the_person_s_language_with_numbers_that_differ() -> None:
    numbers = {
        "value": Number(D("0.50003"), Unit.SHARE),
        "limit": Number(D("0.5"), Unit.SHARE),
        "money": Number(D("5000.3"), Unit.MONEY, "USDT"),
    }
    template = "The position would be %(value)s of equity (%(money)s); the limit is %(limit)s."
    with override("fr"):
        told = sentence(Finding("maximum-position", template, numbers))
    assert "50,003\u00a0%" in told
    assert "5\u00a0000,30\u00a0USDT" in told
    assert told.startswith("La position serait de")


@pytest.mark.parametrize("finding", [None, {}, {"version": 2}, {"version": 1, "code": "x", "template": "%(a)s", "numbers": {}}])
def test_a_refusal_without_a_finding_keeps_the_sentence_it_was_recorded_with(finding: object) -> None:
    assert rejection({"reason": "Too large.", "finding": finding}) == ("Too large.", None)


def test_a_deployment_page_reads_the_account_of_another_never(account: Account) -> None:
    assert not standings.refused_lately(DeploymentFactory().account, limit=5)

"""Pages of Markets, through their addresses."""

from __future__ import annotations

import pytest

from marketdata.bars import Bar
from marketdata.models import LatestPrice, WatchlistItem
from marketdata.overview import polyline
from marketdata.services import watchlists
from marketdata.store import write_candles
from tests.factories import START, InstrumentFactory, UserFactory, VenueFactory

pytestmark = pytest.mark.django_db


def priced(price: float = 100.0, **fields):
    instrument = InstrumentFactory(**fields)
    LatestPrice.objects.create(instrument=instrument, price=price, time=START, received_at=START)
    return instrument


def test_the_list_shows_every_instrument_with_its_price(client):
    one = priced(61784.6, base="BTC")
    page = client.get("/markets/").content.decode()
    assert f"/markets/{one.ref}/" in page
    assert "61,784.60" in page


def test_a_market_without_a_price_shows_a_dash(client):
    InstrumentFactory()
    assert "<span data-price>–</span>" in client.get("/markets/").content.decode()


def test_filters_narrow_the_list_and_say_when_nothing_is_left(client):
    one, other = InstrumentFactory(base="BTC"), InstrumentFactory(base="ETH")
    page = client.get("/markets/?q=btc").content.decode()
    assert one.ref in page
    assert other.ref not in page
    assert "Nothing matches" in client.get("/markets/?q=nonsense").content.decode()


def test_markets_that_are_not_connected_and_have_no_price_are_counted_and_shown_on_demand(client):
    off = VenueFactory(is_enabled=False)
    one, before, loaded = priced(base="BTC"), priced(venue=off), InstrumentFactory(venue=off)
    write_candles([(loaded.pk, "1d", Bar(int(START.timestamp()), 1.0, 1.0, 1.0, 1.0, 1.0))])
    hidden = [InstrumentFactory(venue=off, base="ZRX"), InstrumentFactory(venue=off)]

    def shown(query=""):
        page = client.get(f"/markets/{query}").content.decode()
        return [f'data-ref="{each.ref}"' in page for each in (one, before, loaded, *hidden)], page

    listed, page = shown()
    assert listed == [True, True, True, False, False]
    assert "Show 2 that are not connected" in page
    listed, page = shown("?all=1&kind=spot")
    assert listed == [True] * 5
    assert "Hide 2 that are not connected" in page
    assert 'href="?kind=spot"' in page
    for query in (f"?venue={off.code}", "?q=zrx"):  # whoever asks for them gets them
        listed, page = shown(query)
        assert listed[3]
        assert "not connected</a>" not in page


def test_where_nothing_is_connected_everything_is_listed(client):
    one = InstrumentFactory(venue=VenueFactory(is_enabled=False))
    page = client.get("/markets/").content.decode()
    assert one.ref in page
    assert "data-toggle-off" not in page


def test_an_empty_site_says_what_to_do(client):
    assert "No markets yet" in client.get("/markets/").content.decode()


def test_htmx_gets_the_results_alone(client):
    InstrumentFactory(base="BTC")
    page = client.get("/markets/?q=btc", HTTP_HX_REQUEST="true", HTTP_HX_TARGET="results").content.decode()
    assert "BTC-USDT" in page
    assert "<html" not in page


def test_four_markets_cost_as_many_queries_as_one(client):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            client.get("/markets/")
        return len(queries)

    client.force_login(UserFactory())
    priced()
    client.get("/markets/")
    one = count()
    for _ in range(3):
        priced()
    assert count() == one


def test_the_instrument_page_offers_the_timeframes_there_are(client):
    one = priced(base_timeframe="1h")
    response = client.get(f"/markets/{one.ref}/?timeframe=1m")
    assert response.status_code == 200
    assert response.context["timeframes"] == ["1h", "4h", "1d"]
    assert response.context["timeframe"] == "1h"


def test_a_chart_opens_on_the_finest_bars_that_fill_it(client):
    one = priced()

    def fill(timeframe, seconds, count):
        first = int(START.timestamp())
        write_candles((one.pk, timeframe, Bar(first + n * seconds, 1.0, 1.0, 1.0, 1.0, 1.0)) for n in range(count))

    def opens(query=""):
        return client.get(f"/markets/{one.ref}/{query}").context["timeframe"]

    assert opens() == "1m"
    fill("1m", 60, 10)
    fill("5m", 300, 199)
    fill("1h", 3600, 200)
    assert opens() == "1h"
    assert opens("?timeframe=1m") == "1m"
    fill("5m", 300, 200)
    assert opens() == "5m"


def test_an_unknown_instrument_is_not_found(client):
    assert client.get("/markets/recorded:NONE-SUCH/").status_code == 404


def test_a_venue_of_bars_alone_shows_no_order_book(client):
    one = priced(has_ticks=False)
    assert 'id="depth"' not in client.get(f"/markets/{one.ref}/").content.decode()


def test_watching_twice_puts_it_on_the_list_once(client):
    person, one = UserFactory(), priced()
    client.force_login(person)
    for _ in range(2):
        client.post(f"/markets/{one.ref}/watch/", {"watched": "true"})
    assert WatchlistItem.objects.filter(watchlist__owner=person, instrument=one).count() == 1
    client.post(f"/markets/{one.ref}/watch/", {"watched": "false"})
    assert not WatchlistItem.objects.filter(watchlist__owner=person).exists()


def test_watching_asks_a_stranger_to_sign_in(client):
    response = client.post(f"/markets/{priced().ref}/watch/", {"watched": "true"})
    assert response.status_code == 302
    assert "/accounts/login/" in response["Location"]


def test_watching_does_not_lead_away_to_another_site(client):
    one = priced()
    client.force_login(UserFactory())
    response = client.post(f"/markets/{one.ref}/watch/", {"watched": "true", "next": "https://elsewhere.example/"})
    assert response["Location"] == f"/markets/{one.ref}/"


@pytest.mark.parametrize("back", ["null", "-1", "NaN", "🙂", "markets:list", "javascript:alert(1)", "//elsewhere.example/", ""])
def test_watching_leads_back_to_paths_of_this_site_alone(client, back):
    one = priced()
    client.force_login(UserFactory())
    response = client.post(f"/markets/{one.ref}/watch/", {"watched": "true", "next": back})
    assert (response.status_code, response["Location"]) == (302, f"/markets/{one.ref}/")
    response = client.post(f"/markets/{one.ref}/watch/", {"watched": "true", "next": "/markets/?q=btc"})
    assert response["Location"] == "/markets/?q=btc"


def test_a_second_watchlist_of_the_same_name_is_refused_and_the_name_is_kept(client):
    client.force_login(UserFactory())
    assert client.post("/markets/watchlists/", {"name": "Coins"}).status_code == 302
    response = client.post("/markets/watchlists/", {"name": "Coins"})
    assert response.status_code == 400
    assert 'value="Coins"' in response.content.decode()


def lists_of(person, *names):
    return [watchlists.create(owner=person, name=name) for name in names]


def refs(watchlist):
    return list(WatchlistItem.objects.filter(watchlist=watchlist).values_list("instrument__ref", flat=True))


def test_each_list_is_filled_and_emptied_by_itself(client):
    person, one, other = UserFactory(), priced(), priced()
    coins, later = lists_of(person, "Coins", "Later")
    client.force_login(person)

    def star(instrument, mine, watched):
        data = {"watched": watched, "list": str(mine.public_id)}
        return client.post(f"/markets/{instrument.ref}/watch/", data, HTTP_HX_REQUEST="true")

    star(one, coins, "true")
    star(other, later, "true")
    answer = star(one, later, "true")
    assert (refs(coins), refs(later)) == ([one.ref], [other.ref, one.ref])
    assert answer.content.decode().count('aria-pressed="true"') == 2
    star(one, later, "false")
    assert (refs(coins), refs(later)) == ([one.ref], [other.ref])


def test_the_menu_begins_with_the_list_last_used(client):
    person, one = UserFactory(), priced()
    lists_of(person, "Coins", "Later")
    later = person.watchlists.get(name="Later")
    client.force_login(person)
    assert [each.name for each in client.get("/markets/").context["star_lists"]] == ["Coins", "Later"]
    client.post(f"/markets/{one.ref}/watch/", {"watched": "true", "list": str(later.public_id)})
    for address in ("/markets/", f"/markets/{one.ref}/", "/markets/watchlists/"):
        assert [each.name for each in client.get(address).context["star_lists"]] == ["Later", "Coins"]
    client.post("/markets/watchlists/", {"name": "New"})
    assert client.get("/markets/").context["star_lists"][0].name == "New"


def test_nobody_stars_into_the_list_of_another(client):
    owner, one = UserFactory(), priced()
    (coins,) = lists_of(owner, "Coins")
    client.force_login(UserFactory())
    for name in (str(coins.public_id), "nonsense"):
        assert client.post(f"/markets/{one.ref}/watch/", {"watched": "true", "list": name}).status_code == 404
    assert refs(coins) == []


def test_a_list_is_renamed_by_its_owner_to_a_name_that_is_free(client):
    owner = UserFactory()
    coins, _ = lists_of(owner, "Coins", "Later")
    address = f"/markets/watchlists/{coins.public_id}/rename/"
    client.force_login(owner)
    for name, after in (("Big coins", "Big coins"), ("Later", "Big coins"), ("  ", "Big coins")):
        assert client.post(address, {"name": name}).status_code == 302
        coins.refresh_from_db()
        assert coins.name == after
    client.force_login(UserFactory())
    assert client.post(address, {"name": "Mine"}).status_code == 404


def test_an_empty_list_says_how_it_is_filled(client):
    person = UserFactory()
    priced()
    client.force_login(person)
    (coins,) = lists_of(person, "Coins")
    assert "Star an instrument and it appears here." in client.get("/markets/watchlists/").content.decode()
    assert "Nothing is on this list yet." in client.get(f"/markets/?watchlist={coins.public_id}").content.decode()
    lists_of(person, "Later")
    page = client.get("/markets/watchlists/").content.decode()
    assert "Star an instrument and it appears here." not in page
    assert page.count("Star an instrument in Markets and choose the list there.") == 2


def test_nobody_deletes_the_list_of_another(client):
    owner, stranger = UserFactory(), UserFactory()
    client.force_login(owner)
    client.post("/markets/watchlists/", {"name": "Coins"})
    mine = owner.watchlists.get()
    client.force_login(stranger)
    assert client.post(f"/markets/watchlists/{mine.public_id}/delete/").status_code == 404
    assert owner.watchlists.exists()


def test_no_page_carries_a_style_or_a_script_that_the_policy_blocks(client):
    one = priced(venue=VenueFactory())
    client.force_login(UserFactory())
    for address in ("/", "/licences/", "/markets/", f"/markets/{one.ref}/", "/markets/watchlists/", "/nope/"):
        page = client.get(address).content.decode()
        assert " style=" not in page, address
        assert "<style" not in page, address
        assert " onclick=" not in page, address
        assert "<script>" not in page, address


def test_a_sparkline_spans_its_box_and_keeps_its_margin():
    assert polyline([1.0, 3.0, 2.0]) == "0.0,26.0 50.0,2.0 100.0,14.0"
    assert polyline([5.0, 5.0]) == "0.0,14.0 100.0,14.0"
    assert polyline([5.0]) == ""

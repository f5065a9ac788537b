"""French is whole: every message of the catalogue has its translation, and placeholders agree."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po
from django.core.management import call_command
from django.test import Client
from django.utils.translation import override

from clusterx import wording
from clusterx.translations import catalogues, library_catalogues, messages

CATALOGUE = Path(__file__).resolve().parents[2] / "locale" / "fr" / "LC_MESSAGES" / "django.po"


def test_every_message_has_its_french_and_the_same_placeholders():
    with CATALOGUE.open("rb") as source:
        catalogue = read_po(source, locale="fr")
    messages = [message for message in catalogue if message.id]
    assert len(messages) > 400
    empty = [m.id for m in messages if not (all(m.string) if isinstance(m.string, tuple) else m.string)]
    assert empty == []
    assert [message.id for message in messages if message.fuzzy] == []
    assert [message.id for message in messages if any(message.check(catalogue))] == []


def test_what_templates_and_code_say_is_in_the_catalogue_and_nothing_else():
    """Otherwise: `manage.py update_translations`, and translate what it says is empty."""

    def keys(catalogue: Catalog) -> set[tuple[str, str | None]]:
        return {(m.id if isinstance(m.id, str) else m.id[0], m.context) for m in catalogue if m.id}

    said = keys(messages())
    assert len(said) > 400
    for path, catalogue in catalogues():
        assert keys(catalogue) == said, path


@pytest.mark.django_db
def test_a_french_browser_gets_french_pages():
    call_command("compile_translations")
    with override("en"):  # afterwards the thread speaks what it spoke before
        page = Client().get("/", HTTP_ACCEPT_LANGUAGE="fr").content.decode()
    assert 'lang="fr"' in page
    assert "Marchés" in page
    assert "Markets" not in page


@pytest.mark.django_db
def test_what_strategies_proofs_and_venues_declare_is_said_in_french():
    """They are pure and name no language; pages say it (``clusterx.wording``)."""
    call_command("compile_translations")
    declared = dict.fromkeys(wording.declared())
    assert {context for context, _ in declared} == {"indicator", "proof", "risk", "strategy", "venue"}
    assert ("strategy", "Fast average") in declared
    with override("fr"):
        assert wording.said("Fast average", "strategy") == "Moyenne rapide"
        assert [text for context, text in declared if len(text) > 40 and wording.said(text, context) == text] == []
        assert wording.said("Sample stocks", "venue") == "Actions d’exemple"
        assert wording.said("", "strategy") == ""  # gettext's answer to nothing is its header
        assert wording.said("what somebody called it", "strategy") == "what somebody called it"
    with override("en"):
        page = Client().get("/strategies/", HTTP_ACCEPT_LANGUAGE="fr").content.decode()
    assert "Croisement de moyennes mobiles" in page
    assert "Moyenne rapide" in page
    assert "SMA cross" not in page


@pytest.mark.django_db
def test_pages_of_libraries_speak_as_ours_do():
    """Sentence case and "e-mail", in English as in French."""
    call_command("compile_translations")
    with override("en"):
        english = Client().get("/accounts/login/", HTTP_ACCEPT_LANGUAGE="en").content.decode()
        french = Client().get("/accounts/login/", HTTP_ACCEPT_LANGUAGE="fr").content.decode()
    assert "Sign in" in english
    assert "E-mail" in english
    assert "Sign In" not in english
    assert not {"Email", "Remember Me"} & set(re.findall(r">([^<]+)<", english))
    assert "E-mail" in french
    assert "ourriel" not in french
    for path, catalogue in library_catalogues():
        assert [m.id for m in catalogue if m.id and (not m.string or any(m.check(catalogue)))] == [], path

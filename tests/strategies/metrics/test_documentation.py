"""docs/metrics.md is what the catalogue says."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from strategies.metrics import documentation
from strategies.metrics.catalogue import CATALOGUE
from strategies.metrics.documentation import page
from strategies.metrics.errors import REASONS

PAGE = Path(__file__).parents[3] / "docs" / "metrics.md"


def test_the_page_is_made_from_the_catalogue() -> None:
    assert PAGE.read_text() == page(), "run python -m strategies.metrics.documentation > docs/metrics.md"


def test_the_page_names_every_number_its_formula_and_every_reason() -> None:
    text = page()
    for metric in CATALOGUE:
        assert f"**{metric.label}** `{metric.key}`: {metric.formula}." in text
    assert all(f"`{code}`: {reason}" in text for code, reason in REASONS.items())


def test_a_changed_formula_changes_the_page(monkeypatch) -> None:
    before = page()
    changed = (dataclasses.replace(CATALOGUE[0], formula="something else"), *CATALOGUE[1:])
    monkeypatch.setattr(documentation, "CATALOGUE", changed)
    assert page() != before

"""Messages of templates and code, found without GNU gettext."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.pofile import read_po
from django.conf import settings
from django.utils.translation.template import templatize

from clusterx import wording

APPS = ("clusterx", "marketdata", "strategies", "trading", "social", "marketplace")
KEYWORDS = {
    "_": None,
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
}


def catalogues() -> Iterator[tuple[Path, Catalog]]:
    """Each .po file of our own messages and what it holds. Raises babel's PoFileError for a file that cannot be read."""
    yield from _catalogues(settings.LOCALE_PATHS[0])


def library_catalogues() -> Iterator[tuple[Path, Catalog]]:
    """The same of messages of libraries that we word otherwise; kept by hand."""
    yield from _catalogues(settings.LOCALE_PATHS[1])


def _catalogues(folder: Path) -> Iterator[tuple[Path, Catalog]]:
    for path in sorted(folder.glob("*/LC_MESSAGES/django.po")):
        with path.open("rb") as source:
            yield path, read_po(source, locale=path.parts[-3], abort_invalid=True)


def messages() -> Catalog:
    """Every message that a template or a module of ours asks to be translated, and what pure code declares."""
    found = Catalog(charset="utf-8")
    for path in _sources():
        source = path.read_text()
        if path.suffix in {".html", ".txt"}:
            # Calls of gettext amid blanked-out text; its indentation would mean something to Python.
            source = "\n".join(line.strip() for line in templatize(source, origin=str(path)).splitlines())
        for _line, message, _comments, context in extract("python", BytesIO(source.encode()), keywords=KEYWORDS):
            found.add(message, context=context)
    for declared_context, text in wording.declared():
        found.add(text, context=declared_context)
    return found


def _sources() -> Iterator[Path]:
    for folder in (settings.BASE_DIR / name for name in APPS):
        yield from (path for path in sorted(folder.rglob("*.py")) if "migrations" not in path.parts)
    for pattern in ("*.html", "*.txt"):
        yield from sorted((settings.BASE_DIR / "templates").rglob(pattern))

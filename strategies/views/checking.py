"""What the editors ask for while somebody writes, as JSON: does it read, which names are there, what may a rule be made of."""

from __future__ import annotations

import hashlib
from typing import Any, Final

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from marketdata.wording import said
from strategies.errors import Refused
from strategies.services import inspections, subjects
from strategies.views.completions import completions
from strategies.views.people import given_json, person
from strategies.views.waiting import Desk, NotYet, later

LONGEST: Final = 250_000
_readers: Final = Desk("lint")
_libraries: Final = Desk("libraries", threads=1)


@login_required
@require_POST
def lint(request: HttpRequest) -> HttpResponse:
    """What a file declares, or what is wrong with it and where. The file runs in the sandbox alone."""
    source = given_json(request).get("source")
    if not isinstance(source, str) or len(source) > LONGEST:
        return JsonResponse({"ok": False, "message": _("The source must be text of at most 250,000 characters."), "line": None})
    what = hashlib.sha256(source.encode(errors="replace")).digest()
    try:
        declared = _readers.ask(person(request).pk, what, lambda: inspections.declared_in(source))
    except NotYet:
        if subjects.pool().is_warm:
            return later(_("Still reading it."))
        return later(_("The sandbox is being prepared; this happens once."))
    except Refused as error:
        problem = {"ok": False, "reason": error.reason, "message": error.message, "line": error.line}
        return JsonResponse(problem | {"column": error.facts.get("column"), "printed": error.printed})
    return JsonResponse({"ok": True, "declaration": declared})


@login_required
@require_safe
def names(request: HttpRequest) -> HttpResponse:
    """The names of our API that the editor of code offers."""
    try:
        return JsonResponse({"ok": True, "completions": _libraries.ask(None, "completions", completions)})
    except NotYet:
        return later(_("The libraries are being loaded."))


@login_required
@require_safe
def vocabulary(request: HttpRequest) -> HttpResponse:
    """What the builder of rules is made of: indicators, prices, words; and rules to begin from."""
    try:
        rules = rules_package()
    except NotYet:
        return later(_("The indicators are being loaded."))
    language = get_language() or "en"
    offered, examples = rules.vocabulary(language, translate=said), rules.gallery(language, translate=said)
    return JsonResponse({"ok": True, "vocabulary": offered, "gallery": examples})


def rules_package() -> Any:
    """``strategies.rules``, which loads the indicators: seconds in a process that has just begun. Raises NotYet."""
    return _libraries.ask(None, "rules", _loaded_rules)


def load_ahead() -> None:
    """Somebody is about to choose an editor: have ready what it will ask for."""
    _libraries.begin(None, "rules", _loaded_rules)
    _libraries.begin(None, "completions", completions)


def _loaded_rules() -> Any:
    from strategies import rules

    return rules

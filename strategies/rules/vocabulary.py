"""What the rule builder offers, as JSON: indicators with their settings, prices, timeframes, ranges and words."""

from __future__ import annotations

from typing import Any

from marketdata.indicators.registry import INDICATORS
from marketdata.timeframes import TIMEFRAMES
from strategies.rules.document import DEEPEST, LONGEST_HOLD, MOST_CONDITIONS, PRICES, read, settings
from strategies.rules.examples import EXAMPLES
from strategies.rules.sentence import Translate, say
from strategies.rules.words import ENGLISH, WORDS


def vocabulary(language: str = "en", *, translate: Translate = str) -> dict[str, Any]:
    """Everything that a form for rule documents needs to know. ``translate`` is given the labels of the registry."""
    return {
        "words": WORDS.get(language.split("-")[0], ENGLISH),
        "prices": list(PRICES),
        "timeframes": [{"name": name, "seconds": one.seconds} for name, one in TIMEFRAMES.items()],
        "limits": {"depth": DEEPEST, "conditions": MOST_CONDITIONS, "hold": LONGEST_HOLD},
        "indicators": [
            {
                "name": entry.name,
                "label": translate(entry.label),
                "group": translate(entry.group),
                "outputs": [{"name": one.name, "label": translate(one.label), "unit": one.unit} for one in entry.outputs],
                "parameters": [
                    {
                        "name": one.name,
                        "label": translate(one.label),
                        "kind": one.kind,
                        "default": one.default,
                        "minimum": one.minimum,
                        "maximum": one.maximum,
                        "step": one.step,
                        "choices": [[choice, translate(choice)] for choice in one.choices],
                    }
                    for one in settings(entry)
                ],
            }
            for entry in INDICATORS.values()
        ],
    }


def gallery(language: str = "en", *, translate: Translate = str) -> list[dict[str, Any]]:
    """The examples as templates to begin from: slug, name and sentence in ``language``, and the document of that name."""
    names = WORDS.get(language.split("-")[0], ENGLISH)["examples"]
    return [
        {
            "slug": slug,
            "name": names[slug],
            "sentence": say(read(document), language, translate=translate),
            "document": {**document, "name": names[slug]},
        }
        for slug, document in EXAMPLES.items()
    ]

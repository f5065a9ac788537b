"""What a rule says of itself, in the words that the golden file holds for scripts as well."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from strategies.rules import EXAMPLES, compile_rule, read, say
from strategies.rules.vocabulary import gallery, vocabulary
from strategies.rules.words import ENGLISH, FRENCH
from tests.strategies.rules.documents import CLOSE, above, below, constant, rule

FILE = json.loads((Path(__file__).parent / "sentences.json").read_text(encoding="utf-8"))
GOLDEN = FILE["cases"]


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("index", range(len(GOLDEN)))
def test_sentences_are_those_of_the_golden_file(index: int, language: str) -> None:
    case = GOLDEN[index]
    assert say(read(case["document"]), language) == case[language]


def test_the_golden_file_holds_every_example() -> None:
    assert [case["document"] for case in GOLDEN[: len(EXAMPLES)]] == json.loads(json.dumps(list(EXAMPLES.values())))


def test_the_golden_file_holds_the_words_that_scripts_are_given() -> None:
    for language in ("en", "fr"):
        given = json.loads(json.dumps(vocabulary(language)))
        assert FILE["words"][language] == given["words"]
        assert all(indicator in given["indicators"] for indicator in FILE["indicators"])


def test_a_rule_reads_as_people_say_it() -> None:
    ema = {"op": "crosses_above", "left": {"indicator": "ema", "timeframe": "1h"},
           "right": {"indicator": "ema", "params": {"window": 50}, "timeframe": "1h"}}  # fmt: skip
    rsi = {"op": "below", "left": {"indicator": "rsi"}, "right": constant(70)}
    document = rule(
        {"all": [ema, rsi]}, exit={"long": {"any": [below(5), {"all": [above(9), rsi]}]}}, stop={"kind": "atr", "value": 2}
    )
    assert say(read(document)) == (
        "Buy when EMA(20) crosses above EMA(50) on 1h and RSI(14) is below 70; sell when the close is below 5 or (the close is "
        "above 9 and RSI(14) is below 70); stop at 2 × ATR(14); leave after 20 bars at most; with 100 % of the account; never "
        "short; decided at the close of each 15m bar."
    )


def test_values_and_translated_labels_are_said() -> None:
    document = rule({"op": "within", "left": CLOSE, "right": {"indicator": "bollinger", "output": "upper"}, "percent": 1.5},
                    hold={"tune": "hold", "value": 20, "minimum": 1, "maximum": 30})  # fmt: skip
    french = {"Bollinger bands": "Bandes de Bollinger", "Upper": "Haute"}
    sentence = say(read(document), "fr-ca", values={"hold": 1}, translate=lambda text: french.get(text, text))
    assert sentence.startswith(
        "Acheter quand la clôture et Bandes de Bollinger(20 ; 2) haute sont à 1,5 % près égaux ; sortir après une barre ;"
    )
    assert say(read(document), "de") == say(read(document))
    assert compile_rule(document).summary == say(read(document))


def test_the_gallery_has_every_example_in_both_languages() -> None:
    english, french = gallery("en"), gallery("fr")
    assert [one["slug"] for one in english] == [one["slug"] for one in french] == list(EXAMPLES)
    for one, other in zip(english, french, strict=True):
        assert one["name"] == one["document"]["name"] == EXAMPLES[one["slug"]]["name"]
        assert other["name"] != one["name"]
        assert other["sentence"] == say(read(other["document"]), "fr")


def test_both_languages_have_every_template_with_the_same_parts() -> None:
    import re

    def parts(words: object) -> object:
        if isinstance(words, dict):
            return {key: parts(value) for key, value in words.items()}
        return sorted(set(re.findall(r"{(\w+)}", str(words))))

    assert parts(FRENCH) == parts(ENGLISH)

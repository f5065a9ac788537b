"""The words of rules in each language: templates only, so that scripts can put the same sentences together.

A template names its parts in braces; ``one`` is used for a count of 1 and ``many`` for others.
"""

from __future__ import annotations

from typing import Any, Final

ENGLISH: Final[dict[str, Any]] = {
    "decimal": ".",
    "separator": ", ",
    "joint": "; ",
    "price": {"open": "the open", "high": "the high", "low": "the low", "close": "the close", "volume": "the volume"},
    "output": "{indicator} {output}",
    "ago": {"one": "{line} one bar ago", "many": "{line} {count} bars ago"},
    "on": "{text} on {timeframe}",
    "op": {
        "above": "{left} is above {right}",
        "below": "{left} is below {right}",
        "crosses_above": "{left} crosses above {right}",
        "crosses_below": "{left} crosses below {right}",
        "within": "{left} is within {number} % of {right}",
        "between": "{left} is between {low} and {high}",
    },
    "rising": {"one": "{left} is rising", "many": "{left} has been rising for {count} bars"},
    "falling": {"one": "{left} is falling", "many": "{left} has been falling for {count} bars"},
    "all": " and ",
    "any": " or ",
    "group": "({text})",
    "not": "not ({text})",
    "entry": {"long": "buy when {text}", "short": "sell short when {text}"},
    "filters": "only while {text}",
    "exit": {"long": "sell when {text}", "short": "cover when {text}"},
    "distance": {"percent": "{value} %", "atr": "{value} × ATR({window})"},
    "stop": "stop at {distance}",
    "trail": "trailing stop at {distance}",
    "profit": "take profit at {distance}",
    "hold": {"one": "leave after one bar", "many": "leave after {count} bars at most"},
    "cooldown": {"one": "then wait one bar", "many": "then wait {count} bars"},
    "size": {
        "fixed": "with {value} % of the account",
        "volatility": "sized for {value} % volatility a year over {window} bars, at most {most} % of the account",
        "risk": "risking {value} % of the account down to the stop, with at most {most} % of it",
    },
    "direction": {"long": "never short", "short": "never long", "both": ""},
    "timeframe": "decided at the close of each {timeframe} bar",
    "examples": {
        "trend-cross": "Averages that cross",
        "dip-in-trend": "A dip in an up trend",
        "channel-break": "Break of a channel",
        "band-return": "Return into the bands",
        "two-timeframes": "MACD with the day's trend",
        "fixed-risk": "Squeeze with a fixed risk",
    },
    "missing": "…",
}

# No template puts "de" before a part: "de le plus haut" would need another word.
FRENCH: Final[dict[str, Any]] = {
    "decimal": ",",
    "separator": " ; ",
    "joint": " ; ",
    "price": {
        "open": "l’ouverture",
        "high": "le plus haut",
        "low": "le plus bas",
        "close": "la clôture",
        "volume": "le volume",
    },
    "output": "{indicator} {output}",
    "ago": {"one": "{line} il y a une barre", "many": "{line} il y a {count} barres"},
    "on": "{text} en {timeframe}",
    "op": {
        "above": "{left} dépasse {right}",
        "below": "{left} est sous {right}",
        "crosses_above": "{left} croise à la hausse {right}",
        "crosses_below": "{left} croise à la baisse {right}",
        "within": "{left} et {right} sont à {number} % près égaux",
        "between": "{left} est entre {low} et {high}",
    },
    "rising": {"one": "{left} monte", "many": "{left} monte depuis {count} barres"},
    "falling": {"one": "{left} baisse", "many": "{left} baisse depuis {count} barres"},
    "all": " et ",
    "any": " ou ",
    "group": "({text})",
    "not": "pas ({text})",
    "entry": {"long": "acheter quand {text}", "short": "vendre à découvert quand {text}"},
    "filters": "seulement tant que {text}",
    "exit": {"long": "vendre quand {text}", "short": "racheter quand {text}"},
    "distance": {"percent": "{value} %", "atr": "{value} × ATR({window})"},
    "stop": "stop à {distance}",
    "trail": "stop suiveur à {distance}",
    "profit": "prendre le gain à {distance}",
    "hold": {"one": "sortir après une barre", "many": "sortir après {count} barres au plus"},
    "cooldown": {"one": "puis attendre une barre", "many": "puis attendre {count} barres"},
    "size": {
        "fixed": "avec {value} % du compte",
        "volatility": "taille visant {value} % de volatilité par an sur {window} barres, au plus {most} % du compte",
        "risk": "en risquant {value} % du compte jusqu’au stop, avec au plus {most} % du compte",
    },
    "direction": {"long": "jamais à découvert", "short": "jamais acheteur", "both": ""},
    "timeframe": "décidé à la clôture de chaque barre de {timeframe}",
    "examples": {
        "trend-cross": "Moyennes qui se croisent",
        "dip-in-trend": "Un creux dans une tendance haussière",
        "channel-break": "Sortie d’un canal",
        "band-return": "Retour dans les bandes",
        "two-timeframes": "MACD avec la tendance du jour",
        "fixed-risk": "Compression à risque fixe",
    },
    "missing": "…",
}

WORDS: Final = {"en": ENGLISH, "fr": FRENCH}

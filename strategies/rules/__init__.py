"""Strategies made of rules: a JSON document that is checked, said in words and compiled; no user code runs."""

from strategies.rules.compiler import RuleStrategy, compile_rule, digest
from strategies.rules.document import VERSION, InvalidRule, read, schema
from strategies.rules.examples import EXAMPLES
from strategies.rules.sentence import say
from strategies.rules.vocabulary import gallery, vocabulary

__all__ = [
    "EXAMPLES",
    "VERSION",
    "InvalidRule",
    "RuleStrategy",
    "compile_rule",
    "digest",
    "gallery",
    "read",
    "say",
    "schema",
    "vocabulary",
]

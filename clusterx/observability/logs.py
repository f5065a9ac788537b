"""How log lines look."""

import logging


def line_formatter() -> logging.Formatter:
    return logging.Formatter("%(levelname).1s %(name)s %(message)s")


def json_formatter() -> logging.Formatter:
    return line_formatter()

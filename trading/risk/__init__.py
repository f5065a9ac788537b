"""The risk engine: may this order go out, how large may a position be, and when is it enough? Pure.

Frozen facts in, answers with their reasons and numbers out. ``profile`` holds the limits, ``checks`` judges a proposal by
them, ``sizing`` keeps what a strategy wants within them, ``breakers`` stops an account that loses too much. docs/risk.md is
made from it.
"""

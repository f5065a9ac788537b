#!/usr/bin/env python
"""Every command of the platform: finds PostgreSQL and Redis, starting the embedded ones when none are named."""

import os
import signal
import sys

# These talk to no server, or see to the servers themselves.
WITHOUT_SERVICES = {
    "run",
    "venue",
    "help",
    "version",
    "--help",
    "--version",
    "collectstatic",
    "makemessages",
    "compile_translations",
    "warm_engine",
    "sandbox",
    "credentials_key",
}


def needs_services(arguments: list[str]) -> bool:
    """A backtest or a search on a file reads no database; a proof does for stored candles only."""
    if len(arguments) < 2 or arguments[1] in WITHOUT_SERVICES:
        return False
    on_file = any(argument == "--bars" or argument.startswith("--bars=") for argument in arguments[2:])
    if arguments[1] == "prove":
        return any(argument == "--instrument" or argument.startswith("--instrument=") for argument in arguments[2:])
    return not (arguments[1] in {"backtest", "optimise", "walkforward"} and on_file)


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "clusterx.settings")
    from django.core.management import execute_from_command_line

    from clusterx.embedded import embedded_services

    if not needs_services(sys.argv):
        execute_from_command_line(sys.argv)
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the block below is left in order
    with embedded_services():
        execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()

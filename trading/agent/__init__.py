"""The accounts process: listens to brokers' account streams, and is the clock of the paper venue.

``service`` is the process, ``turn`` whether it is the one that acts, ``listener`` one account's stream, ``paper`` the clock.
"""

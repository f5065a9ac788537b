"""A local server that speaks Binance's public spot protocol: recordings and a simulation, for the real client library.

Imports no Django and no database. ``server`` holds the protocol; ``recorded``, ``replay`` and ``simulated`` are what stands
behind it: each a ``Market`` with one clock.
"""

from marketdata.venue.faults import Faults
from marketdata.venue.recorded import RecordedMarket
from marketdata.venue.replay import ReplayMarket
from marketdata.venue.server import VenueServer
from marketdata.venue.simulated import SimulatedMarket

__all__ = ["Faults", "RecordedMarket", "ReplayMarket", "SimulatedMarket", "VenueServer"]

"""Where market data come from: one protocol, one adapter for each kind of venue."""

from marketdata.providers.base import Provider, ProviderError, VenueSilent, provider_for

__all__ = ["Provider", "ProviderError", "VenueSilent", "provider_for"]

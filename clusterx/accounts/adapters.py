"""Where allauth asks us: which addresses are taken, and how secrets of second factors are kept."""

from __future__ import annotations

import base64
import hashlib

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from cryptography.fernet import Fernet, MultiFernet
from django.conf import settings

from clusterx.accounts.addresses import check_length


def _fernet() -> MultiFernet:
    """The first key writes, all of them read: so SECRET_KEY can be rotated by way of SECRET_KEY_FALLBACKS."""
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    digests = [hashlib.sha256(f"clusterx.second-factor:{key}".encode()).digest() for key in keys]
    return MultiFernet([Fernet(base64.urlsafe_b64encode(digest)) for digest in digests])


class AccountAdapter(DefaultAccountAdapter):
    """Every form that takes an address asks here: signing up, adding or changing one, resetting a password."""

    def clean_email(self, email: str) -> str:
        check_length(email)
        return str(super().clean_email(email))


class SecondFactorAdapter(DefaultMFAAdapter):
    """Secrets of one-time codes and recovery codes are encrypted: a copy of the database alone signs nobody in."""

    def encrypt(self, text: str) -> str:
        return _fernet().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        return _fernet().decrypt(encrypted_text.encode()).decode()

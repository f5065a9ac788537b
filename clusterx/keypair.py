"""Pairs of keys for sealing, as operators hold them: as text, in the environment, in a developer's data folder.

Imports nothing of Django: the supervisor reads a developer's pair and hands it out.
"""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from clusterx.embedded.layout import Layout

# Said by the text itself, so that a private key where a public one belongs is refused and not sealed with.
PUBLIC: Final = "cxpub_"
PRIVATE: Final = "cxpriv_"
PUBLIC_SETTING: Final = "CREDENTIALS_PUBLIC_KEY"
PRIVATE_SETTING: Final = "CREDENTIALS_PRIVATE_KEYS"
LENGTH: Final = 32  # bytes of an X25519 key, public or private
ID_LENGTH: Final = 8
CHECKSUM_LENGTH: Final = 4  # a public key with a wrong letter would seal what nobody can open


class InvalidKey(ValueError):
    """The message never holds the text: it may be a private key in the wrong place."""


class PublicKey:
    """Seals."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.key = X25519PublicKey.from_public_bytes(raw)
        self.id = hashlib.sha256(raw).digest()[:ID_LENGTH]
        try:
            X25519PrivateKey.generate().exchange(self.key)
        except ValueError:  # a point of small order: what is sealed to it, everybody can open
            raise InvalidKey("is no key that keeps a secret") from None

    @classmethod
    def from_text(cls, text: str) -> PublicKey:
        return cls(_decoded(PUBLIC, text))

    @property
    def text(self) -> str:
        return _encoded(PUBLIC, self.raw)

    def __repr__(self) -> str:
        return f"<PublicKey {self.id.hex()}>"


class PrivateKey:
    """Opens. Shows itself in no repr, and cannot be pickled; ``reveal`` is the one way to its text."""

    def __init__(self, raw: bytes) -> None:
        self.key = X25519PrivateKey.from_private_bytes(raw)
        self.public = PublicKey(self.key.public_key().public_bytes_raw())

    @classmethod
    def generate(cls) -> PrivateKey:
        return cls(X25519PrivateKey.generate().private_bytes_raw())

    @classmethod
    def from_text(cls, text: str) -> PrivateKey:
        return cls(_decoded(PRIVATE, text))

    @property
    def id(self) -> bytes:
        return self.public.id

    def reveal(self) -> str:
        return _encoded(PRIVATE, self.key.private_bytes_raw())

    def __repr__(self) -> str:
        return f"<PrivateKey {self.id.hex()}>"


def public_key(text: str) -> PublicKey | None:
    """The key of CREDENTIALS_PUBLIC_KEY; None where it is empty.

    Raises InvalidKey with a sentence for who set it.
    """
    text = text.strip()
    try:
        return PublicKey.from_text(text) if text else None
    except InvalidKey as error:
        raise InvalidKey(f"{PUBLIC_SETTING} {error}") from None


def private_keys(text: str) -> tuple[PrivateKey, ...]:
    """The keys of CREDENTIALS_PRIVATE_KEYS, newest first.

    Raises InvalidKey with a sentence for who set them, that names a key by its place.
    """
    keys = []
    for place, one in enumerate(filter(None, (part.strip() for part in text.split(","))), start=1):
        try:
            keys.append(PrivateKey.from_text(one))
        except InvalidKey as error:
            raise InvalidKey(f"{PRIVATE_SETTING}: key {place} {error}") from None
    return tuple(keys)


# -- a developer's pair ---------------------------------------------------------------------------------------


def development_public_key(layout: Layout) -> str:
    """The public half of the data folder's pair, which is made where there is none. The private file is not read."""
    return _made(layout).joinpath("public").read_text().strip()


def development_private_key(layout: Layout) -> str:
    """For the trading worker and the accounts process alone."""
    return _made(layout).joinpath("private").read_text().strip()


def _made(layout: Layout) -> Path:
    folder = layout.credentials
    if not folder.exists():
        layout.root.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix="credentials-", dir=layout.root))  # nobody else's to look into
        pair = PrivateKey.generate()
        for name, text in (("private", pair.reveal()), ("public", pair.public.text)):
            with open(os.open(fresh / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:  # noqa: PTH123
                file.write(text + "\n")
        try:
            fresh.rename(folder)  # both files at once: nobody sees half a pair
        except OSError:
            shutil.rmtree(fresh)
            if not folder.exists():
                raise
            # Somebody else was quicker, and theirs is the pair.
    return folder


# -- as text --------------------------------------------------------------------------------------------------


def _checksum(prefix: str, raw: bytes) -> bytes:
    return hashlib.sha256(prefix.encode() + raw).digest()[:CHECKSUM_LENGTH]


def _encoded(prefix: str, raw: bytes) -> str:
    return prefix + base64.urlsafe_b64encode(raw + _checksum(prefix, raw)).decode()


def _decoded(prefix: str, text: str) -> bytes:
    for other, what in ((PUBLIC, "public"), (PRIVATE, "private")):
        if other != prefix and text.startswith(other):
            raise InvalidKey(f"holds a {what} key")
    if not text.startswith(prefix):
        raise InvalidKey(f"must begin with {prefix}: manage.py credentials_key makes a pair")
    try:
        decoded = base64.b64decode(text.removeprefix(prefix), altchars=b"-_", validate=True)
    except ValueError:
        decoded = b""
    raw, checksum = decoded[:LENGTH], decoded[LENGTH:]
    if len(raw) != LENGTH or checksum != _checksum(prefix, raw):
        raise InvalidKey("has a letter that is wrong or missing")
    return raw

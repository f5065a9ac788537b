"""Sealed boxes: what any process can close with the public key, and only the holder of a private one can open.

A box is HPKE (RFC 9180, base mode: X25519, HKDF-SHA256, ChaCha20-Poly1305) behind a head that says how to open it:

    version (1 byte, 1) · key id (8: the first of the public key's SHA-256) · ephemeral public key (32) · ciphertext · tag (16)

Version, key id and the context enter the key derivation as HPKE's ``info``, so that a box opens where it was sealed for and
nowhere else: a sealed value that is copied to another row is worthless there.
"""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from django.conf import settings
from django.views.decorators.debug import sensitive_variables

from clusterx.keypair import ID_LENGTH, LENGTH, PrivateKey, PublicKey, development_public_key

VERSION: Final = b"\x01"
HEAD: Final = len(VERSION) + ID_LENGTH
OVERHEAD: Final = HEAD + LENGTH + 16  # bytes that a box is longer than what is in it
PURPOSE: Final = b"clusterx/sealing/"
_suite: Final = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)


class CannotOpen(Exception):
    """``reason`` is ``malformed``, ``no_private_key``, ``unknown_key`` or ``refused`` (another context, or altered)."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@sensitive_variables("plain")
def seal(plain: bytes, context: str) -> bytes:
    """Close ``plain`` for ``context``, such as ``broker-connection/<uuid>``. Two boxes of the same are never alike."""
    return _seal(plain, context, public_key())


@sensitive_variables()
def open_sealed(box: bytes | memoryview, context: str) -> bytes:
    """What is in ``box``, if it was sealed for ``context``.

    Raises CannotOpen.
    """
    box = bytes(box)
    key_id = key_id_of(box)
    if not settings.CREDENTIALS_PRIVATE_KEYS:
        raise CannotOpen("no_private_key", "This process has no private key: only the trading worker opens what is sealed.")
    key = next((one for one in settings.CREDENTIALS_PRIVATE_KEYS if one.id == key_id), None)
    if key is None:
        raise CannotOpen("unknown_key", f"It was sealed with key {key_id.hex()}, which this process does not have.")
    try:
        return _suite.decrypt(box[HEAD:], key.key, info=_info(key_id, context))
    except (InvalidTag, ValueError):
        raise CannotOpen("refused", "It was sealed for another context, or altered.") from None


@sensitive_variables()
def reseal(box: bytes | memoryview, context: str) -> bytes:
    """The same under the newest private key; ``box`` itself where that is its key and it opens.

    Raises CannotOpen.
    """
    plain = open_sealed(box, context)
    newest: PrivateKey = settings.CREDENTIALS_PRIVATE_KEYS[0]
    return bytes(box) if key_id_of(box) == newest.id else _seal(plain, context, newest.public)


def key_id_of(box: bytes | memoryview) -> bytes:
    """Which key opens ``box``.

    Raises CannotOpen for what is no box.
    """
    box = bytes(box)
    if box[: len(VERSION)] != VERSION or len(box) < OVERHEAD:
        raise CannotOpen("malformed", "This is no sealed box of a version that is known here.")
    return box[len(VERSION) : HEAD]


def public_key() -> PublicKey:
    """Whom this process seals for; on a developer's machine, the data folder's own pair."""
    key: PublicKey | None = settings.CREDENTIALS_PUBLIC_KEY
    return key or PublicKey.from_text(development_public_key(settings.DATA))


@sensitive_variables("plain")
def _seal(plain: bytes, context: str, key: PublicKey) -> bytes:
    return VERSION + key.id + _suite.encrypt(plain, key.key, info=_info(key.id, context))


def _info(key_id: bytes, context: str) -> bytes:
    if not context:
        raise ValueError("a context says whose it is, and was empty")
    return PURPOSE + VERSION + key_id + context.encode()  # all but the last are of fixed length

"""What an e-mail address may be, beyond its form: as long as mail can carry it (RFC 5321, section 4.5.3.1)."""

from __future__ import annotations

from typing import Final

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

LONGEST_LOCAL_PART: Final = 64
LONGEST: Final = 254


def check_length(address: str) -> None:
    """Raises ValidationError with a sentence for the person who typed ``address``."""
    local, _at, _domain = address.rpartition("@")
    if len(local.encode()) > LONGEST_LOCAL_PART:
        raise ValidationError(
            _("The part before the @ may have at most %(limit)s characters."),
            code="invalid", params={"limit": LONGEST_LOCAL_PART},
        )  # fmt: skip
    if len(address.encode()) > LONGEST:
        raise ValidationError(
            _("An e-mail address may have at most %(limit)s characters."), code="invalid", params={"limit": LONGEST}
        )

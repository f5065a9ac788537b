"""Mails about a person's account that allauth does not send."""

from __future__ import annotations

from urllib.parse import urlsplit

from allauth.account.models import EmailAddress
from django.conf import settings
from django.core.mail import send_mail
from django.template.loader import render_to_string
from django.utils import timezone, translation

from clusterx.accounts.models import ApiToken
from clusterx.accounts.zones import zone_of


def tell_of_token(token: ApiToken) -> None:
    """Tell the owner that ``token`` was made, in their language and time zone, without its secret.

    Nothing is sent to a person without an address. Raises what the mail server raises.
    """
    address = EmailAddress.objects.get_primary_email(token.user)
    if not address:
        return
    facts = {"token": token, "current_site": {"domain": urlsplit(settings.SITE_URL).netloc}}
    with (
        translation.override(token.user.language or translation.get_language()),
        timezone.override(zone_of(token.user.time_zone)),
    ):
        subject = render_to_string("account/email/token_made_subject.txt", facts)
        text = render_to_string("account/email/token_made_message.txt", facts)
    # A header is one line, whatever a token is called.
    send_mail(" ".join(subject.split()), text, None, [address])

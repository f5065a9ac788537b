"""Texts of pure code in templates: ``{{ strategy.label|said:"strategy" }}``."""

from __future__ import annotations

from django import template

from clusterx import wording

register = template.Library()


@register.filter
def said(text: str, context: str) -> str:
    return wording.said(str(text), context)

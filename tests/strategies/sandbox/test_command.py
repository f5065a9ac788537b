"""``manage.py sandbox`` says what the host offers, and refuses where it is not enough."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from strategies.sandbox import host, launch

pytestmark = pytest.mark.xdist_group("sandbox")


def test_a_host_with_every_layer_passes() -> None:
    out = StringIO()
    call_command("sandbox", "check", stdout=out)
    lines = out.getvalue().splitlines()
    assert "yes  boundary    stands: an honest strategy ran, a hostile one was stopped" in lines
    assert {line.split()[1] for line in lines if line.startswith("yes")} >= {"platform", "seccomp", "pidfd", "rlimits", "image"}


def test_a_host_that_refuses_namespaces_is_refused_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    failing = ["/bin/sh", "-c", "echo 'sandbox: unshare namespaces: Operation not permitted' >&2; exit 1"]
    monkeypatch.setattr(launch, "own", lambda image, argv: failing)
    monkeypatch.setattr(launch, "bubblewrap", lambda image, argv: failing)
    monkeypatch.setattr(host, "ALL", -1)
    out = StringIO()
    with pytest.raises(CommandError, match="No user code runs on this host: boundary"):
        call_command("sandbox", "check", stdout=out)
    text = out.getvalue()
    assert "no   namespaces  the kernel refuses them" in text
    assert "seccomp=deploy/seccomp-worker.json" in text
    assert "NO   boundary    the jail did not come to stand: sandbox: unshare namespaces: Operation not permitted" in text


def test_the_image_is_made_ahead() -> None:
    out = StringIO()
    call_command("sandbox", "prepare", stdout=out)
    assert out.getvalue().startswith("The image is in ")

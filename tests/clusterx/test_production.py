"""What production insists on."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys

import pytest

from clusterx.embedded.layout import PROJECT


def manage(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if name not in {"SECRET_KEY", "SITE_URL", "DEBUG"}}
    return subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=PROJECT, env=inherited | {"CLUSTERX_ENV": "production"} | environment, capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def test_djangos_own_audit_finds_nothing() -> None:
    done = manage(
        "check",
        "--deploy",
        "--fail-level",
        "WARNING",
        SECRET_KEY=secrets.token_urlsafe(64),
        SITE_URL="https://clusterx.example",
    )
    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout


@pytest.mark.parametrize(
    ("environment", "expected"),
    [({}, "SECRET_KEY must be set"), ({"SECRET_KEY": "x" * 60, "DEBUG": "1"}, "DEBUG must be off in production")],
)
def test_production_does_not_start_without_its_secret_or_with_debug(environment: dict[str, str], expected: str) -> None:
    done = manage("check", **environment)
    assert done.returncode != 0
    assert expected in done.stderr

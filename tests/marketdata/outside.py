"""What is committed, seen by a connection that the stream knows nothing of."""

from __future__ import annotations

from typing import Any

import psycopg
from django.db import connection

from marketdata.stream import recorder


class Outside:
    """``with Outside() as outside``; closes the writer's own connection as well, so that the test database can be dropped."""

    def __enter__(self) -> Outside:
        wanted = ("dbname", "user", "password", "host", "port")
        address = {name: value for name, value in connection.get_connection_params().items() if name in wanted}
        self.raw = psycopg.connect(**address, autocommit=True)
        return self

    def __exit__(self, *_: object) -> None:
        self.raw.close()
        if recorder._raw is not None:
            recorder._raw.close()
            recorder._raw = None

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        return self.raw.execute(query).fetchall()

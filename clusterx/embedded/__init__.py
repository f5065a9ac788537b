"""PostgreSQL and Redis from wheels, for machines that have neither.

`layout` says where they live, `postgres` and `redis` start one server each, `session` keeps both up for
as long as any process of this project uses them.
"""

from clusterx.embedded.session import EmbeddedSession, embedded_services

__all__ = ["EmbeddedSession", "embedded_services"]

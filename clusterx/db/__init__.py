"""The database backend: django-timescaledb where the extension is there, plain PostgreSQL where it is not."""

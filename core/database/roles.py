"""The database's roles: who owns, who serves, who crosses clinics, who maintains. One code path makes them everywhere."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote, urlsplit

import psycopg
from django.conf import settings
from django.db import connections
from psycopg import sql

ROLES: dict[str, str] = {
    "hms_owner": "LOGIN CREATEDB NOBYPASSRLS",  # CREATEDB: it makes test databases
    "hms_app": "LOGIN NOBYPASSRLS",
    "hms_platform": "LOGIN NOBYPASSRLS",
    "hms_maintenance": "LOGIN BYPASSRLS",
}


def setup_database(admin_url: str) -> None:
    """Create or repair the roles and the database. Idempotent; `admin_url` is a superuser's. Extensions come by migration."""
    name = unquote(urlsplit(settings.DATABASE_ROLE_URLS["hms_app"]).path.lstrip("/"))
    with psycopg.connect(admin_url, autocommit=True) as admin:
        for role, attributes in ROLES.items():
            _ensure_role(admin, role, attributes, password_of(role))
        if not admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
            admin.execute(sql.SQL("CREATE DATABASE {} OWNER hms_owner TEMPLATE template0").format(sql.Identifier(name)))
        admin.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(name)))
        for role in ROLES:
            admin.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(sql.Identifier(name), sql.Identifier(role)))


def _ensure_role(admin: psycopg.Connection[Any], role: str, attributes: str, password: str) -> None:
    exists = admin.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone()
    verb = "ALTER" if exists else "CREATE"
    statement = sql.SQL(f"{verb} ROLE {{}} {attributes}").format(sql.Identifier(role))
    if password:
        statement += sql.SQL(" PASSWORD {}").format(sql.Literal(password))
    admin.execute(statement)


def password_of(role: str) -> str:
    return unquote(urlsplit(settings.DATABASE_ROLE_URLS.get(role, "")).password or "")


def credentials_of(role: str) -> dict[str, str]:
    """USER, PASSWORD, HOST and PORT of a role, from its URL."""
    parts = urlsplit(settings.DATABASE_ROLE_URLS[role])
    return {
        "USER": unquote(parts.username or role),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(parts.hostname or "") if not settings.EMBEDDED_POSTGRES else str(settings.EMBEDDED_POSTGRES.socket_dir),
        "PORT": str(parts.port or ""),
    }


@contextmanager
def connected_as(role: str, alias: str = "default") -> Iterator[None]:
    """Within the block the alias connects as `role`. For migrations and for tests of what a role may do."""
    become(role, alias)
    try:
        yield
    finally:
        become("hms_app" if alias == "default" else "hms_platform", alias)


def become(role: str, alias: str = "default") -> None:
    """Let the alias connect as `role` from its next statement on. The open connection is closed."""
    connection = connections[alias]
    connection.close()
    if connection.settings_dict.get("OPTIONS", {}).get("pool"):
        connection.close_pool()  # type: ignore[attr-defined]
    connection.settings_dict.update(credentials_of(role))


GRANTS = """
GRANT USAGE ON SCHEMA public TO hms_app, hms_platform, hms_maintenance;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO hms_app, hms_platform;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO hms_app, hms_platform;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON TABLES TO hms_maintenance;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON SEQUENCES TO hms_maintenance;
"""


def grant_defaults(*, using: str, **_: Any) -> None:
    """Before the first table is made: what later tables grant to whom (pre_migrate)."""
    with connections[using].cursor() as cursor:
        cursor.execute(GRANTS)

"""The database's roles: who owns, who serves, who crosses clinics, who maintains. One code path makes them everywhere."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote, urlsplit

import psycopg
from django.conf import settings
from django.db import connections
from psycopg import sql

OLDEST = 15  # the oldest PostgreSQL that the tests run on
ROLES: dict[str, tuple[bool, bool]] = {  # may create databases, passes row-level security
    "hms_owner": (True, False),  # it makes test databases
    "hms_app": (False, False),
    "hms_platform": (False, False),
    "hms_maintenance": (False, True),
}


class DatabaseNotFit(RuntimeError):
    """HMS can't run on this server; the message says why."""


def setup_database(admin_url: str, name: str = "") -> list[str]:
    """Create or repair the roles and the database; return what was done, one sentence each (none the second time).

    `admin_url` is a superuser's; `name` is of a database other than the installation's own. Extensions come by migration.
    Raises DatabaseNotFit.
    """
    name = name or own_database()
    with psycopg.connect(admin_url, autocommit=True) as admin:
        if admin.info.server_version < OLDEST * 10_000:
            raise DatabaseNotFit(f"PostgreSQL {OLDEST} or newer is needed; this is {admin.info.server_version // 10_000}.")
        done = _ensure_database(admin, name, _ensure_roles(admin))
        for role in ROLES:
            if password_of(role) and not _can_sign_in(admin, role, name):
                _set_password(admin, role)
                done.append(f"Set the password of {role}.")
    return done


def _ensure_roles(admin: psycopg.Connection[Any]) -> list[str]:
    done = []
    for role, (create_db, bypass_rls) in ROLES.items():
        wanted = (True, False, False, create_db, bypass_rls)
        found = admin.execute(
            "SELECT rolcanlogin, rolsuper, rolcreaterole, rolcreatedb, rolbypassrls FROM pg_roles WHERE rolname = %s", [role]
        ).fetchone()
        if found == wanted:
            continue
        attributes = f"LOGIN NOSUPERUSER NOCREATEROLE {'' if create_db else 'NO'}CREATEDB {'' if bypass_rls else 'NO'}BYPASSRLS"
        statement = sql.SQL("{} ROLE {} {}").format(
            sql.SQL("ALTER" if found else "CREATE"), sql.Identifier(role), sql.SQL(attributes)
        )
        admin.execute(statement)
        done.append(f"{'Repaired' if found else 'Created'} the role {role}.")
    return done


def _ensure_database(admin: psycopg.Connection[Any], name: str, done: list[str]) -> list[str]:
    database = sql.Identifier(name)
    found = admin.execute("SELECT datdba::regrole::text FROM pg_database WHERE datname = %s", [name]).fetchone()
    if found is None:
        admin.execute(sql.SQL("CREATE DATABASE {} OWNER hms_owner ENCODING 'UTF8' TEMPLATE template0").format(database))
        done.append(f"Created the database {name}.")
    elif found[0] != "hms_owner":
        admin.execute(sql.SQL("ALTER DATABASE {} OWNER TO hms_owner").format(database))
        done.append(f"Gave the database {name} to hms_owner.")
    admin.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database))
    for role in ROLES:
        admin.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(database, sql.Identifier(role)))
    return done


def _can_sign_in(admin: psycopg.Connection[Any], role: str, name: str) -> bool:
    try:
        psycopg.connect(
            host=admin.info.host, port=admin.info.port, user=role, password=password_of(role), dbname=name, connect_timeout=5
        ).close()
    except psycopg.OperationalError:
        return False
    return True


def _set_password(admin: psycopg.Connection[Any], role: str) -> None:
    """Sends a SCRAM verifier: the password itself could end in the server's log."""
    verifier = admin.pgconn.encrypt_password(password_of(role).encode(), role.encode(), b"scram-sha-256").decode()
    admin.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(role), sql.Literal(verifier)))


def own_database() -> str:
    """The name of the database that this installation serves."""
    return unquote(urlsplit(settings.DATABASE_ROLE_URLS["hms_app"]).path.lstrip("/"))


def admin_url() -> str:
    """A superuser's URL: the embedded server's, which is started if need be, or HMS_DATABASE_ADMIN_URL ("" when it is unset)."""
    embedded = settings.EMBEDDED_POSTGRES
    if not embedded:
        return str(settings.HMS_DATABASE_ADMIN_URL)
    embedded.ensure_running()
    return str(embedded.url("postgres", "postgres"))


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
def in_database(name: str) -> Iterator[None]:
    """Within the block every alias is connected to another database of the same server."""
    before = {alias: connections[alias].settings_dict["NAME"] for alias in connections}
    try:
        _turn_to(dict.fromkeys(before, name))
        yield
    finally:
        _turn_to(before)


def _turn_to(names: Mapping[str, Any]) -> None:
    for alias, name in names.items():
        become(connections[alias].settings_dict["USER"], alias)
        connections[alias].settings_dict["NAME"] = name


def connection_apart(role: str) -> psycopg.Connection[Any]:
    """A connection of its own as `role`, in autocommit, to the database that the default alias serves; the caller closes it.

    For what can't run in a transaction, or needs more rights than serving does. Raises DatabaseNotFit without the role's URL.
    """
    if not settings.DATABASE_ROLE_URLS.get(role):
        raise DatabaseNotFit(f"The URL of {role} is not set (see .env.example).")
    known = credentials_of(role)
    return psycopg.connect(
        host=known["HOST"] or None,
        port=known["PORT"] or None,
        user=known["USER"],
        password=known["PASSWORD"] or None,
        dbname=connections["default"].settings_dict["NAME"],
        autocommit=True,
        connect_timeout=5,
    )


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

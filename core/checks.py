"""Misconfiguration, said by number when HMS starts and by `manage.py check --deploy`."""

import base64
import binascii
import re
from datetime import date
from ipaddress import ip_network
from typing import Any
from urllib.parse import unquote, urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.core.exceptions import ValidationError
from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from core.accounts.token_keys import TOKEN_KEY, TOKEN_KEY_BYTES
from core.audit.draining import spool
from core.audit.spool import DAMAGED, trouble_with
from core.backup.errors import BackupTrouble
from core.backup.keeping import keep_of
from core.backup.stores import store_at
from core.cdn.providers import PROVIDERS
from core.health.access import SHORTEST, networks
from core.logs import STYLES
from core.outbound.addresses import ANYTHING, Guard
from core.outbound.registry import Malformed, from_environment
from core.security.limiting.rates import RATE_VARIABLES, NotARate, rate_of
from core.validators.emails import clean_email

VARIABLES = {
    "hms_app": "DATABASE_URL",
    "hms_owner": "DATABASE_OWNER_URL",
    "hms_platform": "DATABASE_PLATFORM_URL",
    "hms_maintenance": "DATABASE_MAINTENANCE_URL",
}


@register(Tags.security)
def secrets_are_set(**_: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    for number, name in ((1, "SECRET_KEY"), (2, "HMS_SEARCH_KEY")):
        if len(getattr(settings, name)) < 32:
            found.append(
                Error(f"{name} is not set or is shorter than 32 characters.", hint="See .env.example.", id=f"hms.E00{number}")
            )
    if not settings.HMS_ENCRYPTION_KEYS:
        found.append(Error("HMS_ENCRYPTION_KEYS is not set.", hint="`1:` and 32 random bytes in base64.", id="hms.E003"))
    for entry in settings.HMS_ENCRYPTION_KEYS:
        if not _is_key(entry):
            found.append(Error("HMS_ENCRYPTION_KEYS holds an entry that is not `number:base64 of 32 bytes`.", id="hms.E004"))
    return found


@register(Tags.security)
def token_keys_are_strong(**_: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    if not settings.HMS_TOKEN_KEYS:
        hint = "`1:` and at least 32 random characters, or JWT_SECRET. See .env.example."
        found.append(Error("HMS_TOKEN_KEYS is not set.", hint=hint, id="hms.E050"))
    names = []
    for entry in settings.HMS_TOKEN_KEYS:
        match = TOKEN_KEY.fullmatch(entry)
        names.append(match[1] if match else "")
        if match is None:
            hint = "A name of letters, digits, dots and dashes, a colon, the secret."
            found.append(Error("HMS_TOKEN_KEYS holds an entry that is not `name:secret`.", hint=hint, id="hms.E051"))
        elif len(match[2].encode()) < TOKEN_KEY_BYTES:
            found.append(Error(f"The token key {match[1]} is shorter than {TOKEN_KEY_BYTES} characters.", id="hms.E052"))
    if len(set(names)) < len(names):
        found.append(Error("Two entries of HMS_TOKEN_KEYS have the same name.", id="hms.E053"))
    return found


def _is_key(entry: str) -> bool:
    number, _, encoded = entry.partition(":")
    try:
        return number.isdigit() and 0 < int(number) < 256 and len(base64.urlsafe_b64decode(encoded)) == 32
    except (binascii.Error, ValueError):
        return False


@register(Tags.security)
def roles_are_apart(**_: Any) -> list[CheckMessage]:
    """Each role has its own URL; one for all would switch row-level security off in effect."""
    found: list[CheckMessage] = []
    urls = settings.DATABASE_ROLE_URLS
    for role, variable in VARIABLES.items():
        if not urls[role]:
            if role in ("hms_platform", "hms_owner"):
                found.append(Error(f"{variable} is not set.", hint="See .env.example: each role has its own URL.", id="hms.E005"))
        elif role != "hms_app" and urls[role] == urls["hms_app"]:
            found.append(Error(f"{variable} is the same as DATABASE_URL.", id="hms.E006"))
        elif (user := unquote(urlsplit(urls[role]).username or "")) != role:
            found.append(Error(f"{variable} signs in as {user or 'nobody'}; it must be {role}.", id="hms.E007"))
    return found


@register(Tags.security)
def the_listener_hears_as_whoever_writes(**_: Any) -> list[CheckMessage]:
    if not settings.DATABASE_LISTEN_URL:
        return []
    try:
        user = conninfo_to_dict(settings.DATABASE_LISTEN_URL).get("user")
    except ProgrammingError:
        hint = "For example postgresql://hms_app:PASSWORD@db.example.org:5432/hms."
        return [Error("DATABASE_LISTEN_URL is no address of a database.", hint=hint, id="hms.E093")]
    if user == "hms_app":
        return []
    return [Error(f"DATABASE_LISTEN_URL signs in as {user or 'nobody'}; it must be hms_app.", id="hms.E094")]


@register(Tags.security)
def variables_are_well_formed(**_: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    if not re.fullmatch(r"[1-9]\d*[smhd]", settings.JWT_EXPIRES_IN):
        found.append(Error("JWT_EXPIRES_IN is not a number with s, m, h or d.", hint="For example 15m.", id="hms.E008"))
    if not _is_day(settings.HMS_API_V1_SUNSET):
        found.append(Error("HMS_API_V1_SUNSET is not a day.", hint="For example 2027-12-31.", id="hms.E031"))
    base = urlsplit(settings.HMS_BASE_URL)
    if base.scheme not in ("http", "https") or not base.hostname or base.path or base.query or base.fragment:
        hint = "For example https://hms.example.org, without a slash at the end."
        found.append(Error("HMS_BASE_URL is not an address without a path.", hint=hint, id="hms.E009"))
    return found


@register(Tags.security)
def proxies_are_a_number(**_: Any) -> list[CheckMessage]:
    if 0 <= settings.HMS_TRUSTED_PROXIES <= 10:
        return []
    return [Error("HMS_TRUSTED_PROXIES is not a number from 0 to 10.", id="hms.E011")]


@register(Tags.security)
def traces_go_to_an_address(**_: Any) -> list[CheckMessage]:
    address = urlsplit(settings.HMS_TRACES)
    if not settings.HMS_TRACES or (address.scheme in ("http", "https") and address.hostname):
        return []
    return [Error("OTEL_EXPORTER_OTLP_ENDPOINT is no address.", hint="For example http://127.0.0.1:4318.", id="hms.E090")]


@register(Tags.security)
def limits_are_numbers_that_help(**_: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    if settings.HMS_MEMORY_LIMIT_MB and settings.HMS_MEMORY_LIMIT_MB < 200:
        found.append(Error("HMS_MEMORY_LIMIT_MB is less than 200: no process of HMS fits in it.", id="hms.E091"))
    if not 0 < settings.HMS_WORKER_BEAT <= 600:
        found.append(Error("HMS_WORKER_BEAT is not between 0 and 600 seconds.", id="hms.E092"))
    return found


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


@register(Tags.security)
def networks_are_networks(**_: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    for entry in settings.HMS_NEVER_BLOCK:
        try:
            ip_network(entry, strict=False)
        except ValueError:
            hint = "For example 198.51.100.7,203.0.113.0/24."
            found.append(Error(f"HMS_NEVER_BLOCK holds {entry!r}, which is no network.", hint=hint, id="hms.E012"))
    if settings.HMS_SECURITY_EVENT_DAYS < 1:
        found.append(Error("HMS_SECURITY_EVENT_DAYS is less than a day.", id="hms.E013"))
    return found


@register(Tags.security)
def accesses_can_be_written_down(**_: Any) -> list[CheckMessage]:
    """What can't be written down isn't shown: without a place for the access log nobody sees a patient."""
    found: list[CheckMessage] = []
    if trouble := trouble_with(spool.folder):
        hint = "Whoever serves HMS needs to write there (HMS_SPOOL_DIR, docs/access-log.md)."
        found.append(Error(f"The access log's spool can't be written: {trouble}.", hint=hint, id="hms.E095"))
    if list(spool.folder.glob(f"*{DAMAGED}")):
        hint = "docs/access-log.md says what to do with it."
        found.append(Warning("The access log's spool holds a damaged file.", hint=hint, id="hms.W050"))
    if settings.HMS_ACCESS_LOG_YEARS < 1:
        found.append(Error("HMS_ACCESS_LOG_YEARS is less than a year.", id="hms.E096"))
    return found


@register(Tags.security)
def systems_are_well_formed(**_: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    try:
        from_environment(settings.HMS_EXTERNAL_SYSTEMS)
    except Malformed as error:
        found.append(Error(f"HMS_EXTERNAL_SYSTEMS is not well formed: {error}.", hint="See .env.example.", id="hms.E060"))
    for name in ("HMS_OUTBOUND_ALLOW", "HMS_WEBHOOK_ALLOW"):
        try:
            Guard.of(getattr(settings, name))
        except ValueError as error:
            found.append(Error(f"{name}: {error}", hint="For example 10.20.0.0/16,gateway.clinic.internal.", id="hms.E061"))
    if settings.HMS_EVENT_DAYS < 7:
        found.append(Error("HMS_EVENT_DAYS is less than 7.", hint="Webhooks are tried for three days.", id="hms.E062"))
    return found


@register(Tags.security)
def backups_are_well_formed(**_: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    try:
        keep_of(settings.HMS_BACKUP_KEEP)
    except ValueError:
        found.append(Error("HMS_BACKUP_KEEP is not three numbers.", hint="Days, weeks, months: 7,4,12.", id="hms.E073"))
    if not all(_is_key(entry) for entry in settings.HMS_BACKUP_KEYS):
        found.append(Error("HMS_BACKUP_KEYS holds an entry that is not `number:base64 of 32 bytes`.", id="hms.E074"))
    if settings.HMS_BACKUP_TARGET:
        try:
            store_at(settings.HMS_BACKUP_TARGET)
        except BackupTrouble as error:
            found.append(Error(str(error), id="hms.E075"))
    return found


@register(Tags.security)
def the_network_is_well_formed(**_: Any) -> list[CheckMessage]:
    """Scripts come from there: what can't be trusted with https, or isn't one plain address, is refused."""
    found: list[CheckMessage] = []
    said = urlsplit(settings.HMS_CDN_URL)
    if settings.HMS_CDN_URL and (said.scheme != "https" or not said.hostname or said.query or said.fragment or "@" in said.netloc):
        hint = "For example https://cdn.example.org."
        found.append(Error("HMS_CDN_URL is not an https address.", hint=hint, id="hms.E076"))
    if settings.HMS_CDN_PROVIDER and settings.HMS_CDN_PROVIDER not in PROVIDERS:
        found.append(Error(f"HMS_CDN_PROVIDER is none of {', '.join(PROVIDERS)}.", id="hms.E077"))
    return found


@register(Tags.security)
def rates_are_well_formed(**_: Any) -> list[CheckMessage]:
    """Without Redis a limit is shared between the processes: one that is smaller than their number becomes slow, not strict."""
    found: list[CheckMessage] = []
    for name in RATE_VARIABLES:
        try:
            windows = rate_of(getattr(settings, name))
        except NotARate:
            hint = "A number and s, m, h or d, with commas: 60/m,1000/h. At most 100000 in one window."
            found.append(Error(f"{name} is not a limit.", hint=hint, id="hms.E040"))
            continue
        if not settings.REDIS_URL and any(window.limit < settings.HMS_RATE_PROCESSES for window in windows):
            hint = "Without Redis each process lets one request in, in a longer time. Set REDIS_URL or raise the limit."
            found.append(Warning(f"{name} is smaller than the number of web processes.", hint=hint, id="hms.W040"))
    if settings.HMS_RATE_PROCESSES < 1:
        found.append(Error("HMS_RATE_PROCESSES is not a number from 1 on.", id="hms.E041"))
    return found


@register(Tags.security)
def watchers_are_well_formed(**_: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    if 0 < len(settings.HMS_MONITORING_TOKEN) < SHORTEST:
        hint = "It opens nothing as it is. Take 32 random characters or more."
        found.append(Error(f"HMS_MONITORING_TOKEN is shorter than {SHORTEST} characters.", hint=hint, id="hms.E070"))
    try:
        networks(tuple(settings.HMS_METRICS_ALLOW))
    except ValueError as error:
        found.append(Error(f"HMS_METRICS_ALLOW: {error}.", hint="For example 10.20.0.0/16,192.0.2.7.", id="hms.E071"))
    return found


@register(Tags.security)
def logs_are_well_formed(**_: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    if settings.HMS_LOG_FORMAT and settings.HMS_LOG_FORMAT not in STYLES:
        found.append(Error("HMS_LOG_FORMAT is neither json nor console.", hint="Empty: as docs/logs.md says.", id="hms.E085"))
    if settings.HMS_FAULT_DAYS < 1:
        found.append(Error("HMS_FAULT_DAYS is less than a day.", id="hms.E086"))
    return found


@register(Tags.security)
def alerts_are_well_formed(**_: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    if not all(_is_address(one) for one in settings.HMS_OPERATORS):
        found.append(Error("HMS_OPERATORS holds what is no address.", hint="ops@example.org,on-call@example.org", id="hms.E080"))
    if settings.HMS_ALERT_WEBHOOK_URL:
        try:
            ANYTHING.checked_url(settings.HMS_ALERT_WEBHOOK_URL)
        except ValueError:
            found.append(Error("HMS_ALERT_WEBHOOK_URL is no address that can be called.", id="hms.E081"))
        if len(settings.HMS_ALERT_WEBHOOK_SECRET) < SHORTEST:
            hint = f"Take {SHORTEST} random characters or more: without it nobody can tell that an alert is HMS's."
            found.append(Error("HMS_ALERT_WEBHOOK_SECRET is not set or too short.", hint=hint, id="hms.E082"))
    return found


def _is_address(text: str) -> bool:
    try:
        return bool(clean_email(text))
    except ValidationError:
        return False


@register(Tags.security, deploy=True)
def not_a_demo(**_: Any) -> list[CheckMessage]:
    """A demo opens every account to everybody; on a server of one's own that is an error, not a taste."""
    if not settings.HMS_DEMO:
        return []
    if settings.EMBEDDED_POSTGRES is None:
        return [Error("HMS_DEMO is on, on a database server of yours: everybody may sign in as anybody.", id="hms.E010")]
    return [Warning("HMS_DEMO is on: everybody may sign in as anybody.", id="hms.W001")]


@register(Tags.security, deploy=True)
def served_over_https(**_: Any) -> list[CheckMessage]:
    if not settings.HMS_BASE_URL.startswith("https://"):
        return [Warning("HMS_BASE_URL is not https: sign-ins and patients' data would cross the network in clear.", id="hms.W002")]
    if not settings.HMS_TRUSTED_PROXIES:
        hint = "HMS_TRUSTED_PROXIES says how many proxies a request passes (docs/operators.md)."
        return [Warning("Behind a proxy that is not counted everybody has the proxy's address.", hint=hint, id="hms.W003")]
    return []

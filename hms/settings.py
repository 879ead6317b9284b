"""Everything HMS can be told, read from the environment. Each variable is explained in `.env.example`."""

import logging
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import environ
from django.utils.csp import CSP
from django.utils.translation import gettext_lazy as _
from whitenoise.compress import Compressor

from core.database.embedded import EmbeddedPostgres
from core.logs import style_of
from core.security.local_secrets import local_secrets
from core.static_files.headers import add_headers
from core.tenancy.limits import Limits
from hms.api_settings import REST_FRAMEWORK, SPECTACULAR_SETTINGS  # noqa: F401  (Django reads them here)

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()
environ.Env.read_env(BASE_DIR / ".env")

# --- Where this installation keeps its own files, and what it is ---------------------------------------------------
VAR_DIR = BASE_DIR / env.str("HMS_VAR_DIR", default="var")
DEBUG = env.bool("DEBUG", default=False)
HMS_DEMO = env.bool("HMS_DEMO", default=False)
HMS_DEMO_PASSWORD = env.str("HMS_DEMO_PASSWORD", default="Clinic-Day-2026")
HMS_PROCESS = env.str("HMS_PROCESS", default="command")  # web | worker | command
LOG_LEVEL = env.str("LOG_LEVEL", default="INFO").upper()

HMS_BASE_URL = env.str("HMS_BASE_URL", default="http://127.0.0.1:8000")
HMS_BASE_DOMAIN = env.str("HMS_BASE_DOMAIN", default=urlsplit(HMS_BASE_URL).hostname or "127.0.0.1")
_https = HMS_BASE_URL.startswith("https://")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=[HMS_BASE_DOMAIN, f".{HMS_BASE_DOMAIN}", "127.0.0.1", "localhost"])
CSRF_TRUSTED_ORIGINS = [HMS_BASE_URL]

# --- Database: a server of yours, or the embedded PostgreSQL under var/ when DATABASE_URL is unset ------------------
DATABASE_URL = env.str("DATABASE_URL", default="")
DATABASE_REPLICA_URL = env.str("DATABASE_REPLICA_URL", default="")
DATABASE_LISTEN_URL = env.str("DATABASE_LISTEN_URL", default="")
HMS_POSTGRES_BIN = env.str("HMS_POSTGRES_BIN", default="")
EMBEDDED_POSTGRES: EmbeddedPostgres | None = None
if DATABASE_URL:
    DATABASE_ROLE_URLS = {
        "hms_app": DATABASE_URL,
        "hms_owner": env.str("DATABASE_OWNER_URL", default=""),
        "hms_platform": env.str("DATABASE_PLATFORM_URL", default=""),
        "hms_maintenance": env.str("DATABASE_MAINTENANCE_URL", default=""),
    }
else:
    EMBEDDED_POSTGRES = EmbeddedPostgres(
        VAR_DIR / "postgres",
        binaries=HMS_POSTGRES_BIN,
        database=env.str("HMS_DATABASE_NAME", default="hms"),
        settings=env.dict("HMS_POSTGRES_SETTINGS", default={}),
    )
    DATABASE_ROLE_URLS = {role: EMBEDDED_POSTGRES.url(role) for role in ("hms_app", "hms_owner", "hms_platform", "hms_maintenance")}

# How long a statement may run and wait for a lock, by the kind of the request or process (core/tenancy/limits.py).
_lock_limit = env.int("DB_LOCK_LIMIT", default=2000)
HMS_TIME_LIMITS = {
    "page": Limits(env.int("DB_STATEMENT_LIMIT", default=4000), _lock_limit),
    "api": Limits(env.int("DB_STATEMENT_LIMIT_API", default=4000), _lock_limit),
    "admin": Limits(env.int("DB_STATEMENT_LIMIT_ADMIN", default=10_000), _lock_limit),
    "worker": Limits(env.int("DB_STATEMENT_LIMIT_WORKER", default=60_000), _lock_limit),
    "command": Limits(),
}


HMS_POOL_MAX = env.int("DB_POOL_MAX", default=env.int("HMS_CONNECTION_POOL_MAX", default=10))  # of a web process, for each alias
PREPARE_AFTER = 2  # times that a statement comes on one connection before it is prepared: those with lists of ids seldom do


def _database(url: str, *, embedded: bool = bool(EMBEDDED_POSTGRES)) -> dict[str, Any]:
    config: dict[str, Any] = environ.Env.db_url_config(url)
    config["ENGINE"] = "core.database.backend"
    config["HOST"] = unquote(config["HOST"] or "")  # a socket's folder is written with %2F
    if EMBEDDED_POSTGRES and embedded:
        config["HOST"] = str(EMBEDDED_POSTGRES.socket_dir)  # a URL's host would lose its capitals
    config["PORT"] = str(config["PORT"] or "")
    config["CONN_HEALTH_CHECKS"] = True
    config["DISABLE_SERVER_SIDE_CURSORS"] = True
    config.setdefault("OPTIONS", {})["connect_timeout"] = max(2, env.int("DB_CONNECTION_TIMEOUT", default=5000) // 1000)
    config["OPTIONS"].setdefault("application_name", f"hms {HMS_PROCESS}")
    prepares = HMS_PROCESS != "command" and env.bool("DB_PREPARED_STATEMENTS", default=True)  # a command fills tables
    config["OPTIONS"]["server_side_binding"] = True  # without it nothing can be prepared
    config["OPTIONS"]["prepare_threshold"] = PREPARE_AFTER if prepares else None
    config["GUARD"] = {"limits": HMS_TIME_LIMITS.get(HMS_PROCESS, HMS_TIME_LIMITS["page"])}
    if HMS_PROCESS != "command":
        config["GUARD"] |= {"deadline": env.int("DB_DEADLINE", default=5000) / 1000, "breaker": True}
    if HMS_PROCESS == "worker":
        config["CONN_MAX_AGE"] = 300  # seconds; a process does one job after another, on the same connections
    if HMS_PROCESS == "web":
        config["OPTIONS"]["pool"] = {
            "min_size": env.int("DB_POOL_MIN", default=1),
            "max_size": HMS_POOL_MAX,
            "timeout": env.int("DB_CONNECTION_TIMEOUT", default=5000) / 1000,
            "max_lifetime": env.int("DB_POOL_LIFETIME", default=3600),
            "max_idle": env.int("DB_POOL_IDLE", default=600),
            "reconnect_timeout": 1,  # seconds; then the next request tries anew, instead of waiting out ever longer pauses
        }
    return config


HMS_SLOW_QUERY_MS = env.float("HMS_SLOW_QUERY_MS", default=200)
HMS_SLOW_QUERY_SAMPLE = env.float("HMS_SLOW_QUERY_SAMPLE", default=1.0)
HMS_DATABASE_ADMIN_URL = env.str("HMS_DATABASE_ADMIN_URL", default="")
DATABASES = {
    "default": _database(DATABASE_ROLE_URLS["hms_app"]),
    "platform": _database(DATABASE_ROLE_URLS["hms_platform"] or DATABASE_URL),
}
if DATABASE_REPLICA_URL:
    DATABASES["replica"] = _database(DATABASE_REPLICA_URL, embedded=False)
DATABASE_ROUTERS = ["core.database.routers.ScopeRouter"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Secrets: from the environment; a local installation (embedded database) makes its own once ----------------------
_secrets = local_secrets(VAR_DIR) if EMBEDDED_POSTGRES else {}
SECRET_KEY = env.str("SECRET_KEY", default=_secrets.get("SECRET_KEY", ""))
HMS_ENCRYPTION_KEYS = env.list("HMS_ENCRYPTION_KEYS", default=[k for k in [_secrets.get("HMS_ENCRYPTION_KEY")] if k])
HMS_KEYS_KEPT = env.float("HMS_KEYS_KEPT", default=60)
HMS_SEARCH_KEY = env.str("HMS_SEARCH_KEY", default=_secrets.get("HMS_SEARCH_KEY", ""))
_jwt_secret = env.str("JWT_SECRET", default="")
_token_keys = [f"jwt:{_jwt_secret}"] if _jwt_secret else [key for key in [_secrets.get("HMS_TOKEN_KEY")] if key]
HMS_TOKEN_KEYS = env.list("HMS_TOKEN_KEYS", default=_token_keys)

# --- Backups (docs/backup.md) ------------------------------------------------------------------------------------------
HMS_BACKUP_TARGET = env.str("HMS_BACKUP_TARGET", default="")
HMS_BACKUP_KEEP = env.str("HMS_BACKUP_KEEP", default="7,4,12")
HMS_BACKUP_KEYS = env.list("HMS_BACKUP_KEYS", default=[])
HMS_BACKUP_S3_KEY = env.str("HMS_BACKUP_S3_KEY", default="")
HMS_BACKUP_S3_SECRET = env.str("HMS_BACKUP_S3_SECRET", default="")

# --- Applications ----------------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "core.apps.CoreConfig",
    "clinics",
    "patients",
    "appointments",
    "hms.apps.HMSConfig",
    "core.apps.HMSAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django.forms",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "corsheaders",
    "django_ratelimit",
]

# The line that every request walks, in this order (docs/architecture.md).
MIDDLEWARE = [
    "core.metrics.middleware.MetricsMiddleware",
    "core.middleware.RequestMiddleware",
    "core.health.middleware.WatchersMiddleware",
    "core.cache.middleware.SeenMiddleware",
    "core.middleware.ContentPolicyMiddleware",
    "core.middleware.SecurityHeadersMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "core.middleware.CompressionMiddleware",
    "core.pages.development.StatementFooterMiddleware",
    "core.api.versioning.VersionMiddleware",
    "core.security.limiting.middleware.AddressLimitMiddleware",
    "core.security.transport.PlainHTTPMiddleware",
    "core.api.versioning.KnownVersionMiddleware",
    "core.middleware.BodyLimitMiddleware",
    "core.charset.CharsetMiddleware",
    "core.security.screening.middleware.ScreeningMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "core.middleware.LanguageMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "core.accounts.middleware.AuthenticationMiddleware",
    "core.security.screening.middleware.StrangersMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "core.middleware.UnitOfWorkMiddleware",
    "core.audit.middleware.AccessLogMiddleware",
    "core.accounts.middleware.ClinicMiddleware",
    "core.accounts.factors.middleware.SecondFactorMiddleware",
    "core.security.limiting.middleware.CallerLimitMiddleware",
    "core.idempotency.middleware.IdempotencyMiddleware",
    "core.api.ready.ReadyAnswerMiddleware",
    "core.pages.ready.ReadyPageMiddleware",
]
HMS_TRACES = env.str("OTEL_EXPORTER_OTLP_ENDPOINT", default="")
if HMS_TRACES:
    MIDDLEWARE.insert(0, "core.tracing.middleware.TracingMiddleware")
HMS_METRICS = env.bool("HMS_PERFORMANCE_MONITORING_ENABLED", default=True)
if not HMS_METRICS:
    MIDDLEWARE.remove("core.metrics.middleware.MetricsMiddleware")
HMS_CORS_ORIGINS = env.list("HMS_CORS_ORIGINS", default=[])
if HMS_CORS_ORIGINS:
    MIDDLEWARE.insert(MIDDLEWARE.index("django.middleware.security.SecurityMiddleware"), "corsheaders.middleware.CorsMiddleware")
if DATABASE_REPLICA_URL:
    MIDDLEWARE.insert(MIDDLEWARE.index("core.idempotency.middleware.IdempotencyMiddleware"), "core.middleware.ReplicaMiddleware")

ROOT_URLCONF = "hms.urls"
WSGI_APPLICATION = "hms.wsgi.application"
ASGI_APPLICATION = "hms.asgi.application"
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "core.pages.context.frame",
            ],
        },
    },
]

# --- People ----------------------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "core.User"
AUTHENTICATION_BACKENDS = ["core.accounts.backends.EmailBackend"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
PASSWORD_RESET_TIMEOUT = 3600
LOGIN_URL = "pages:sign-in"
LOGIN_REDIRECT_URL = "/"
JWT_EXPIRES_IN = env.str("JWT_EXPIRES_IN", default="15m")

# --- Messages (docs/messages.md): by e-mail, and by gateways for text messages and WhatsApp -----------------------------
_smtp_host = env.str("EMAIL_HOST", default="")
_smtp = {
    "host": _smtp_host,
    "port": env.int("EMAIL_PORT", default=587),
    "username": env.str("EMAIL_HOST_USER", default=""),
    "password": env.str("EMAIL_HOST_PASSWORD", default=""),
    "use_tls": env.bool("EMAIL_USE_TLS", default=not env.bool("EMAIL_USE_SSL", default=False)),
    "use_ssl": env.bool("EMAIL_USE_SSL", default=False),
    "timeout": 10,
}
MAILERS: dict[str, Any] = {}
if _smtp_host:
    MAILERS["default"] = {"BACKEND": "django.core.mail.backends.smtp.EmailBackend", "OPTIONS": _smtp}
elif DEBUG or HMS_DEMO:  # nobody's data: what would be sent stands in the server's output
    MAILERS["default"] = {"BACKEND": "django.core.mail.backends.console.EmailBackend"}
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default=f"HMS <no-reply@{HMS_BASE_DOMAIN}>")
HMS_MESSAGE_GATEWAYS = {
    "sms": env.str("HMS_SMS_GATEWAY_URL", default=""),
    "whatsapp": env.str("HMS_WHATSAPP_GATEWAY_URL", default=""),
}
HMS_MESSAGE_GATEWAY_TOKENS = {
    "sms": env.str("HMS_SMS_GATEWAY_TOKEN", default=""),
    "whatsapp": env.str("HMS_WHATSAPP_GATEWAY_TOKEN", default=""),
}
HMS_MESSAGE_GATEWAY_SECRETS = {
    "email": env.str("HMS_EMAIL_RECEIPTS_SECRET", default=""),
    "sms": env.str("HMS_SMS_GATEWAY_SECRET", default=""),
    "whatsapp": env.str("HMS_WHATSAPP_GATEWAY_SECRET", default=""),
}
HMS_TWILIO = {
    "sid": env.str("TWILIO_ACCOUNT_SID", default=""),
    "token": env.str("TWILIO_AUTH_TOKEN", default=""),
    "from": env.str("TWILIO_FROM", default=""),
    "url": env.str("TWILIO_API_URL", default="https://api.twilio.com").rstrip("/"),
}
HMS_WHATSAPP_CLOUD = {
    "number": env.str("WHATSAPP_PHONE_NUMBER_ID", default=""),
    "token": env.str("WHATSAPP_ACCESS_TOKEN", default=""),
    "secret": env.str("WHATSAPP_APP_SECRET", default=""),
    "verify": env.str("WHATSAPP_VERIFY_TOKEN", default=""),
    "url": env.str("WHATSAPP_API_URL", default="https://graph.facebook.com/v23.0").rstrip("/"),
}
HMS_MESSAGE_DAYS = env.int("HMS_MESSAGE_DAYS", default=90)

# --- Other systems (docs/operators.md): those that HMS asks, and those that clinics have told of events (docs/webhooks.md) ---
HMS_EXTERNAL_SYSTEMS = env.str("HMS_EXTERNAL_SYSTEMS", default="")
HMS_OUTBOUND_ALLOW = env.list("HMS_OUTBOUND_ALLOW", default=[])
HMS_WEBHOOK_ALLOW = env.list("HMS_WEBHOOK_ALLOW", default=[])
HMS_EVENT_DAYS = env.int("HMS_EVENT_DAYS", default=30)

# --- Sessions, cookies, headers --------------------------------------------------------------------------------------
SESSION_ENGINE = "core.accounts.sessions"
_host_only = "__Host-" if _https else ""  # browsers then refuse the cookie from a subdomain, or without https
SESSION_COOKIE_NAME = f"{_host_only}hms_session"
HMS_DEVICE_COOKIE = f"{_host_only}hms_device"
SESSION_COOKIE_AGE = 12 * 3600
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = _https
CSRF_COOKIE_NAME = f"{_host_only}hms_csrf"
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SECURE = _https
CSRF_FAILURE_VIEW = "core.pages.errors.csrf_failure"
X_FRAME_OPTIONS = "DENY"
SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=_https)
# Probes and scrapes come from within; the API refuses plain HTTP (core.security.transport).
SECURE_REDIRECT_EXEMPT = [r"^health(/(live|ready|startup|api))?$", r"^metrics$", r"^api/"]
HMS_TRUSTED_PROXIES = env.int("HMS_TRUSTED_PROXIES", default=int(env.bool("HMS_BEHIND_PROXY", default=False)))
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HMS_TRUSTED_PROXIES else None
HMS_NEVER_BLOCK = env.list("HMS_NEVER_BLOCK", default=[])
HMS_SECURITY_EVENT_DAYS = env.int("HMS_SECURITY_EVENT_DAYS", default=90)
SECURE_HSTS_SECONDS = 31_536_000 if _https else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = _https
SECURE_HSTS_PRELOAD = env.bool("HMS_HSTS_PRELOAD", default=False)
SILENCED_SYSTEM_CHECKS = ["mail.W001"]  # HMS runs without e-mail too: what needs it is not offered then
SILENCED_SYSTEM_CHECKS += ["security.W021"]  # preload: for the domain's owner to decide, since it can hardly be taken back
SECURE_REFERRER_POLICY = "same-origin"
# A content delivery network that passes on what HMS serves under /static/ (docs/deploying.md).
HMS_CDN_URL = env.str("HMS_CDN_URL", default="").rstrip("/")
if not env.bool("HMS_CDN_ENABLED", default=True):
    HMS_CDN_URL = ""
HMS_CDN_PROVIDER = env.str("HMS_CDN_PROVIDER", default="")
HMS_CDN_ZONE = env.str("HMS_CDN_ZONE", default="")
HMS_CDN_TOKEN = env.str("HMS_CDN_TOKEN", default="")
HMS_CDN_API_URL = env.str("HMS_CDN_API_URL", default="").rstrip("/")
_cdn = ["{0.scheme}://{0.netloc}".format(urlsplit(HMS_CDN_URL))] if HMS_CDN_URL else []
SECURE_CSP = {
    "default-src": [CSP.SELF],
    "img-src": [CSP.SELF, "data:", *_cdn],
    **({kind: [CSP.SELF, *_cdn] for kind in ("script-src", "style-src", "font-src")} if _cdn else {}),
    "script-src-attr": [CSP.NONE],
    "style-src-attr": [CSP.NONE],
    "frame-src": [CSP.NONE],
    "object-src": [CSP.NONE],
    "base-uri": [CSP.NONE],
    "form-action": [CSP.SELF],
    "frame-ancestors": [CSP.NONE],
}
# Scripts of other origins may call the API, with tokens of their own; the session's cookie is never for them.
CORS_ALLOWED_ORIGINS = HMS_CORS_ORIGINS
CORS_URLS_REGEX = r"^/api/"
CORS_ALLOW_CREDENTIALS = False
CORS_ALLOW_METHODS = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"]
CORS_ALLOW_HEADERS = [
    *("accept", "authorization", "content-type", "if-match", "if-none-match", "idempotency-key"),
    *("x-api-version", "x-clinic-id", "x-hms-position", "x-hms-seen", "x-request-id"),
]
CORS_EXPOSE_HEADERS = [
    *("Content-Disposition", "Deprecation", "ETag", "Link", "Location", "Retry-After", "Server-Timing", "Sunset"),
    *("X-API-Deprecated", "X-API-Sunset", "X-API-Version", "X-HMS-Position", "X-HMS-Seen"),
    *("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "X-Request-ID"),
]
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
HMS_UPLOAD_BYTES = 10 * 1024 * 1024
FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.MemoryFileUploadHandler"]  # nothing is written to disk in clear
FILE_UPLOAD_MAX_MEMORY_SIZE = 2 * HMS_UPLOAD_BYTES  # above every body that gets this far
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"

# --- Cache (docs/caching.md): Redis when there is one; never trusted with truth ------------------------------------------
HMS_CACHE_BYTES = env.int("HMS_CACHE_BYTES", default=12 * 1024 * 1024)
HMS_CACHE_TTL = env.int("REDIS_CACHE_TTL", default=300)
HMS_CACHE_GUARD = "log" if DEBUG else ""  # the tests say "raise"
_redis_host = env.str("REDIS_HOST", default="")
_redis_url = env.str("REDIS_URL", default=f"redis://{_redis_host}:{env.int('REDIS_PORT', default=6379)}/0" if _redis_host else "")
REDIS_URL = _redis_url if env.bool("REDIS_ENABLED", default=True) else ""
CACHES: dict[str, Any] = {
    "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "hms"},  # HMS keeps nothing in it
}
if REDIS_URL:
    CACHES["tags"] = {  # core.cache's second level
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": REDIS_URL,
        "OPTIONS": {
            "SOCKET_TIMEOUT": 0.05,
            "SOCKET_CONNECT_TIMEOUT": 0.05,
            "CONNECTION_POOL_KWARGS": {"max_connections": env.int("REDIS_MAX_CONNECTIONS", default=50), "protocol": 2},
        },
    }

# --- Jobs (docs/jobs.md): the ledger is in the database; the broker carries ids to the workers, and may lose them ---------
HMS_BROKER_URL = env.str("HMS_BROKER_URL", default=REDIS_URL or "filesystem://localhost")
HMS_BROKER_OPTIONS: dict[str, Any] = {}
HMS_BROKER_TIMES: dict[str, Any] = {}  # for those who hand jobs over; workers try for ever
if HMS_BROKER_URL.startswith("filesystem:"):
    HMS_BROKER_FOLDER = VAR_DIR / "broker" / str(DATABASES["default"]["NAME"]).replace("/", "_")
    _folders = {name: str(HMS_BROKER_FOLDER / "messages") for name in ("data_folder_in", "data_folder_out")}
    HMS_BROKER_OPTIONS = {**_folders, "control_folder": str(HMS_BROKER_FOLDER / "control"), "polling_interval": 0.05}
elif HMS_BROKER_URL.startswith("redis"):
    HMS_BROKER_OPTIONS = {
        "global_keyprefix": f"hms:{DATABASES['default']['NAME']}:jobs:",
        "priority_steps": [0, 3, 6, 9],
        "queue_order_strategy": "priority",
        "visibility_timeout": 3600,
        "health_check_interval": 25,
        # A worker asks for messages a second at a time. Without a limit it may wait for ever for an answer that was lost with a
        # Redis that was killed.
        "socket_timeout": 5,
        "socket_connect_timeout": 5,
        "socket_keepalive": True,
    }
    HMS_BROKER_TIMES = {"socket_timeout": 1, "socket_connect_timeout": 1, "max_retries": 0, "connect_retries_timeout": 2}
HMS_JOB_LEASE = env.float("HMS_JOB_LEASE", default=30)
HMS_JOB_MODULES = env.list("HMS_JOB_MODULES", default=[])
HMS_WORKER_MAX_MB = env.int("HMS_WORKER_MAX_MB", default=400)
HMS_MEMORY_LIMIT_MB = env.int("HMS_MEMORY_LIMIT_MB", default=0)
HMS_WORKER_BEAT = env.float("HMS_WORKER_BEAT", default=15)
HMS_JOB_DAYS = env.int("HMS_JOB_DAYS", default=30)
HMS_NOTIFICATION_DAYS = env.int("HMS_NOTIFICATION_DAYS", default=90)

# --- Live updates (docs/live.md) -------------------------------------------------------------------------------------------
HMS_LIVE_STREAMS = env.int("HMS_LIVE_STREAMS", default=1000)
HMS_LIVE_RELAY = env.str("HMS_LIVE_RELAY", default="")

# --- Health and metrics (docs/monitoring.md) --------------------------------------------------------------------------------
HMS_MONITORING_TOKEN = env.str("HMS_MONITORING_TOKEN", default="")
HMS_METRICS_ALLOW = env.list("HMS_METRICS_ALLOW", default=[])
HMS_CERTIFICATE = env.str("HMS_CERTIFICATE", default="")
HMS_BACKUP_HOURS = env.float("HMS_BACKUP_HOURS", default=26)
HMS_ALERTS = env.bool("HMS_ALERTS", default=True)
HMS_OPERATORS = env.list("HMS_OPERATORS", default=[])
HMS_ALERT_WEBHOOK_URL = env.str("HMS_ALERT_WEBHOOK_URL", default="")
HMS_ALERT_WEBHOOK_SECRET = env.str("HMS_ALERT_WEBHOOK_SECRET", default="")

# --- Rate limits (docs/operators.md, "Rate limits") --------------------------------------------------------------------
HMS_RATE_ANON = env.str("HMS_RATE_ANON", default="60/m,1000/h")
HMS_RATE_USER = env.str("HMS_RATE_USER", default="600/m")
HMS_RATE_AUTH = env.str("HMS_RATE_AUTH", default="10/m")
HMS_RATE_LETTERS = env.str("HMS_RATE_LETTERS", default="5/m,20/h")
HMS_RATE_UPLOAD = env.str("HMS_RATE_UPLOAD", default="5/m")
HMS_RATE_HEAVY = env.str("HMS_RATE_HEAVY", default="100/h")
HMS_RATE_SEARCH = env.str("HMS_RATE_SEARCH", default="240/m")
HMS_RATE_SCREEN = env.str("HMS_RATE_SCREEN", default="120/m")
HMS_RATE_KIOSK = env.str("HMS_RATE_KIOSK", default="10/m,100/h")
HMS_RATE_PROCESSES = env.int("HMS_RATE_PROCESSES", default=env.int("WEB_CONCURRENCY", default=2))
CACHES["counters"] = {"BACKEND": "core.security.limiting.counters.Counters"}
RATELIMIT_USE_CACHE = "counters"
# Its list of caches can't know ours, which adds up in Redis or in one statement of PostgreSQL.
SILENCED_SYSTEM_CHECKS += ["django_ratelimit.W001"]

# --- Language, time, files ---------------------------------------------------------------------------------------------
LANGUAGE_CODE = "en-gb"
LANGUAGES = [("en-gb", _("English"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
LANGUAGE_COOKIE_NAME = "hms_language"
LANGUAGE_COOKIE_HTTPONLY, LANGUAGE_COOKIE_SAMESITE, LANGUAGE_COOKIE_SECURE = True, "Lax", _https
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"
STATIC_URL = f"{HMS_CDN_URL}/static/"
WHITENOISE_STATIC_PREFIX = "/static/"  # whatever the network's address is
WHITENOISE_SKIP_COMPRESS_EXTENSIONS = (*Compressor.SKIP_COMPRESS_EXTENSIONS, "map")  # maps are for a developer's tools alone
WHITENOISE_ADD_HEADERS_FUNCTION = add_headers
WHITENOISE_ALLOW_ALL_ORIGINS = bool(HMS_CDN_URL)  # scripts of another origin are only loaded with its leave
STATIC_ROOT = BASE_DIR / env.str("HMS_STATIC_DIR", default=str(VAR_DIR / "static"))
STATICFILES_DIRS = [BASE_DIR / "static"]
HMS_UPLOADS_DIR = BASE_DIR / env.str("HMS_UPLOADS_DIR", default=str(VAR_DIR / "uploads"))
HMS_AUDIT_ANCHORS_DIR = BASE_DIR / env.str("HMS_AUDIT_ANCHORS_DIR", default=str(VAR_DIR / "anchors"))
HMS_SPOOL_DIR = BASE_DIR / env.str("HMS_SPOOL_DIR", default=str(VAR_DIR / "spool"))
HMS_ACCESS_LOG_YEARS = env.int("HMS_ACCESS_LOG_YEARS", default=10)
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "uploads": {"BACKEND": "core.uploads.storage.PrivateFolder", "OPTIONS": {"location": str(HMS_UPLOADS_DIR)}},
    "staticfiles": {"BACKEND": "core.static_files.storage.HashedStaticFiles"},
}
MEDIA_ROOT = VAR_DIR / "media"

# --- API -----------------------------------------------------------------------------------------------------------------
HMS_API_V1_SUNSET = env.str("HMS_API_V1_SUNSET", default="2027-12-31")

# --- Logs (docs/logs.md): one line a record, no query strings, no bodies ----------------------------------------------------
HMS_LOG_FORMAT = env.str("HMS_LOG_FORMAT", default="")
HMS_FAULT_DAYS = env.int("HMS_FAULT_DAYS", default=90)
HMS_REQUEST_LOG = env.bool("HMS_REQUEST_LOG", default=HMS_PROCESS == "web" and not DEBUG)
DEFAULT_EXCEPTION_REPORTER = "core.redaction.BareReporter"
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {
        "faults": {"()": "core.faults.noticing.FaultFilter"},
        "redact": {"()": "core.redaction.RedactingFilter"},
        "trouble": {"()": "core.database.trouble.TroubleFilter"},
    },
    "formatters": {
        "line": {
            "()": "core.logs.formatter",
            "style": style_of(HMS_LOG_FORMAT, development=DEBUG or HMS_DEMO, is_command=HMS_PROCESS == "command"),
        },
    },
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["faults", "redact"]},
    },
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    "loggers": {
        "django": {"handlers": [], "level": "INFO", "propagate": True},
        "celery.app.trace": {"level": "WARNING"},  # the ledger says what became of a job, and so does core.jobs
        "celery.worker.strategy": {"level": "WARNING"},
        "django.request": {"level": "ERROR", "filters": ["trouble"]},
        "django.server": {"handlers": ["console"], "level": "WARNING", "propagate": False},
        "httpx": {"handlers": [], "level": "WARNING", "propagate": True},  # it would log every address that is asked
        "httpcore": {"handlers": [], "level": "WARNING", "propagate": True},
    },
}
logging.captureWarnings(HMS_PROCESS != "command")  # a server's warnings are lines like all others

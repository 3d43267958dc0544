# The only entry to the project. `make` alone lists what it can do; settings are read by loom/environment.py, never here.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
MANAGE := $(BIN)/python manage.py
LOCK := $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate --quiet
LOCKS := etc/requirements
CLIENTS := build/clients
# Behind a proxy that opens TLS, only the machine's own certificates know its name; pip uses them already.
export UV_SYSTEM_CERTS ?= 1

.PHONY: help dev run otlp build test test.unit test.browser test.deep test.clients coverage lint budget format migrate migrations lock secrets-scan screenshots screenshots.all bench.first bench.register bench.stream bench.markdown bench.parser bench.runs bench.wire bench.pages bench.promises bench.reading clean

help: ## List the targets.
	@awk -F ':.*## ' '/^[a-z.-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' makefile

# --- installing: stamps, so that nothing is done twice ---------------------------------------------------------------

$(VENV)/bootstrap.stamp: $(LOCKS)/bootstrap.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Loom needs Python 3.11 or newer; set PYTHON=python3.x")'
	@echo "Installing what Loom needs into $(VENV); the first time this takes about half a minute"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "python3 -m venv failed: on Debian, apt-get install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r $<
	@touch $@

# One .pth file makes packages/ importable for every program of .venv: nothing is installed twice, nothing gets stale.
$(VENV)/run.stamp: $(LOCKS)/run.txt packages/pyproject.toml $(VENV)/bootstrap.stamp
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --compile-bytecode --require-hashes -r $<
	@echo '$(CURDIR)/packages' > "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/loom.pth"
	@touch $@

$(VENV)/test.stamp: $(LOCKS)/test.txt $(VENV)/run.stamp
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --compile-bytecode --require-hashes -r $<
	@touch $@

$(VENV)/bench.stamp: $(LOCKS)/bench.txt $(VENV)/test.stamp
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --compile-bytecode --require-hashes -r $<
	@touch $@

$(VENV)/otlp.stamp: $(LOCKS)/otlp.txt $(VENV)/run.stamp
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --compile-bytecode --require-hashes -r $<
	@touch $@

$(CLIENTS)/clients.stamp: $(LOCKS)/clients.txt $(VENV)/test.stamp
	@$(BIN)/uv venv --quiet --clear $(CLIENTS)
	@VIRTUAL_ENV=$(CLIENTS) $(BIN)/uv pip install --quiet --require-hashes -r $<
	@touch $@

etc/environment.sh: $(VENV)/bootstrap.stamp
	@$(BIN)/python -m loom.first_use

# --- running ---------------------------------------------------------------------------------------------------------

dev: $(VENV)/run.stamp etc/environment.sh ## Install, migrate, seed a demo and run everything; RELOAD=1 follows changes.
	@exec $(MANAGE) dev $(if $(RELOAD),--reload)

run: $(VENV)/run.stamp etc/environment.sh ## Run everything as in production: DEBUG off, sign-in on.
	@exec $(MANAGE) run

build: $(VENV)/run.stamp etc/environment.sh ## Compile, and collect static files: what a folder needs before it becomes read-only.
	@$(BIN)/python -m compileall -q apps loom packages
	@DEBUG=0 AUTH_DISABLED=0 $(MANAGE) collectstatic --no-input --verbosity=0

otlp: $(VENV)/otlp.stamp ## Install what sending spans takes (OTEL_EXPORTER_OTLP_ENDPOINT).

migrate: $(VENV)/run.stamp etc/environment.sh ## Bring the database up to date.
	@$(MANAGE) migrate

migrations: $(VENV)/run.stamp etc/environment.sh ## Write the migrations that the models need.
	@$(MANAGE) makemigrations

# --- checking --------------------------------------------------------------------------------------------------------

test: $(VENV)/test.stamp ## Run every test; PARTS="apps browser" for some, TEST="-k chat" for pytest.
	@$(BIN)/python -m loom.tests.parts $(PARTS) $(if $(TEST),-- $(TEST))

test.unit: $(VENV)/test.stamp ## Run the tests that need no browser.
	@$(BIN)/python -m loom.tests.parts whole processes services apps $(if $(TEST),-- $(TEST))

test.browser: $(VENV)/test.stamp ## Run the tests in headless Chromium.
	@$(BIN)/python -m loom.tests.parts browser $(if $(TEST),-- $(TEST))

test.deep: $(VENV)/test.stamp ## Run the full sizes of what make test proves on small ones.
	@$(BIN)/python -m pytest -m deep --capture=no

test.clients: $(CLIENTS)/clients.stamp etc/environment.sh ## Run other people's clients against Loom; TEST="-k awscli" for some.
	@$(CLIENTS)/bin/python -m pytest -c bench/clients/pytest.ini --confcutdir bench/clients bench/clients $(TEST)

# What apps/awsverify does takes a whole Loom, so its tests are among those of loom/.
coverage: $(VENV)/test.stamp ## Measure which lines of apps and packages their tests run; fails below 95 %.
	@rm -rf build/coverage && mkdir -p build/coverage
	@$(BIN)/coverage run -m pytest apps packages loom/tests/programs/test_check_aws.py loom/tests/programs/test_smoke.py -m "not deep" -o computing_limit_s=120
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report

lint: $(VENV)/test.stamp ## Check style, types, imports, templates, migrations and secrets.
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/python -m etc.checks.lint
	@$(BIN)/python -m etc.checks.words
	@$(BIN)/python -m etc.checks.scripts
	@$(BIN)/python -m etc.checks.lint manage check --fail-level WARNING
	@$(BIN)/python -m etc.checks.lint manage makemigrations --check --dry-run
	@$(BIN)/python -m etc.checks.lint types

budget: $(VENV)/test.stamp ## Check what pages, starts and packages cost against etc/budget.toml.
	@$(BIN)/python -m etc.checks.budget

format: $(VENV)/test.stamp ## Format the code.
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format .

secrets-scan: $(VENV)/test.stamp ## Look for secrets in every tracked file.
	@$(BIN)/python -m etc.checks.lint secrets

# --- looking after the project ---------------------------------------------------------------------------------------

lock: $(VENV)/bootstrap.stamp ## Pin the dependencies of pyproject.toml anew.
	@$(LOCK) pyproject.toml -o $(LOCKS)/run.txt $(if $(UPGRADE),--upgrade)
	@$(LOCK) pyproject.toml --group test -c $(LOCKS)/run.txt -o $(LOCKS)/test.txt $(if $(UPGRADE),--upgrade)
	@$(LOCK) --group pyproject.toml:otlp -c $(LOCKS)/test.txt -o $(LOCKS)/otlp.txt $(if $(UPGRADE),--upgrade)
	@$(LOCK) pyproject.toml --group bench -c $(LOCKS)/test.txt -o $(LOCKS)/bench.txt $(if $(UPGRADE),--upgrade)
	@$(LOCK) --group pyproject.toml:clients -o $(LOCKS)/clients.txt $(if $(UPGRADE),--upgrade)

screenshots: $(VENV)/test.stamp ## Take the pictures in docs/images anew.
	@$(BIN)/python -m bench.screenshots

screenshots.all: $(VENV)/test.stamp ## Every page in every state as a picture, in build/pictures.
	@$(BIN)/python -m bench.page_walk

bench.register: $(VENV)/test.stamp ## Measure how fast 1,000 agents are registered.
	@$(BIN)/python -m bench.register

bench.stream: $(VENV)/bench.stamp ## Measure streaming beside its peers; BENCH=--quick for a short run.
	@$(BIN)/python -m bench.stream $(BENCH)

bench.markdown: $(VENV)/test.stamp ## Measure what rendering a streamed answer costs.
	@$(BIN)/python -m bench.markdown

bench.parser: $(VENV)/test.stamp ## Measure what reading an answer costs.
	@$(BIN)/python -m bench.parser $(BENCH)

bench.wire: $(VENV)/test.stamp ## Measure what a prompt costs on its way to AgentCore and back.
	@$(BIN)/python -m bench.wire $(BENCH)

bench.runs: $(VENV)/bench.stamp ## Measure what a run costs beside its tokens; BENCH="--against COMMIT" in turns.
	@$(BIN)/python -m bench.runs $(BENCH)

bench.promises: $(VENV)/bench.stamp ## Measure what was promised of latency; BENCH=--write puts it into docs/verification.md.
	@$(BIN)/python -m bench.promises $(BENCH)

bench.reading: $(VENV)/bench.stamp ## Measure what a long answer costs who reads it, in a slowed Chromium.
	@$(BIN)/python -m bench.reading $(BENCH)

bench.pages: $(VENV)/test.stamp ## Measure the pages with 100,000 invocations.
	@$(BIN)/python -m bench.pages

bench.first: ## Measure fresh clone to first page to first measured start.
	@$(PYTHON) bench/first_light.py

clean: ## Remove what make built; databases and etc/environment.sh stay.
	@rm -rf $(VENV) build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

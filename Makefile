# Everything that is done with this tree. `make demo` and `make test` need Python 3.11 or newer, make and git: nothing else.

PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	"$$python" -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$python"; break; }; done)
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq
WORKERS ?= 2
# Worlds that are simulated at once; 0: one for each core.
JOBS ?= 0
SEEDS ?= 400
FIRST_SEED ?= 0
# More arguments for pytest, such as PYTEST="-k calendars" or PYTEST="tests/core".
PYTEST ?=

.PHONY: help demo test long coverage e2e simulate explore mutants pairs nightly lint types contracts check format bench docs lock sbom clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.run ## bring the quickstart up and watch it work (DEMO_EXIT=1: end after that)
	@$(BIN)/python examples/quickstart/demo

test: $(VENV)/.dev ## the quick tests, real processes included
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -q -m "not nightly" --ignore=tests/e2e $(PYTEST)

long: $(VENV)/.dev ## the tests that are too long for every change: marked nightly
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -q -m "nightly and not alone" $(PYTEST)
	$(BIN)/python -m pytest -q -m "nightly and alone" $(PYTEST)

coverage: $(VENV)/.dev ## the quick tests under coverage: at least 98 % of core/, branches included
	rm -f .coverage .coverage.*
	$(MAKE) --no-print-directory test PYTEST="--cov=setpoint.core --cov-branch --cov-report= $(PYTEST)"
	$(BIN)/coverage report --include='src/setpoint/core/*' --skip-covered --show-missing --fail-under=98

e2e: $(VENV)/.dev ## the slow tests: whole deployments, crashes, real components
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -q -m "not alone and not nightly" tests/e2e $(PYTEST)
	$(BIN)/python -m pytest -q -m "alone and not nightly" tests/e2e $(PYTEST)

simulate: $(VENV)/.dev ## search many simulated worlds for a broken invariant (SEEDS=400 FIRST_SEED=0 SIMULATE=--keep-going)
	$(BIN)/setpoint simulate --seeds $(FIRST_SEED)..$$(( $(FIRST_SEED) + $(SEEDS) )) --jobs $(JOBS) $(SIMULATE)

explore: $(VENV)/.dev ## explore small worlds exhaustively, as far as ten minutes on two cores allow
	$(BIN)/python -m setpoint.simulate.explore.run

mutants: $(VENV)/.dev ## deliberate bugs, each of which a test or the simulator must catch
	$(BIN)/python tests/mutants/run.py -j $(WORKERS)

pairs: $(VENV)/.dev ## every two features of the configuration language together, or why not: prints the matrix (PAIRS="--most 5")
	$(BIN)/python -m tests.pairs.run $(PAIRS)

nightly: $(VENV)/.dev ## what takes hours: many worlds, small worlds, long tests, deliberate bugs, pairs, coverage, Python 3.13
	@tests/ci/nightly

lint: $(VENV)/.dev ## ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/.dev ## let ruff put the code in order
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(VENV)/.dev ## mypy --strict
	$(BIN)/mypy --strict

contracts: $(VENV)/.dev ## imports only go down the floors
	$(BIN)/lint-imports

check: lint types contracts ## everything that is quick and runs nothing

bench: $(VENV)/.dev ## how fast, how much memory, how many writes
	$(BIN)/python -m bench.engine $(BENCH)
	$(BIN)/python bench/simulate.py $(BENCH_SIMULATE)

docs: $(VENV)/.dev ## write the generated pages of docs/ again
	$(BIN)/python docs/generate.py

lock: ## choose the newest versions that pyproject.toml allows, and lock them with hashes
	$(PYTHON) -m venv --clear .venv/lock
	.venv/lock/bin/pip --quiet install pip-tools
	.venv/lock/bin/python requirements/lock.py
	.venv/lock/bin/python requirements/sbom.py

sbom: ## write the bill of materials of what runs Setpoint, from its lock
	$(PYTHON) requirements/sbom.py

clean: ## remove what is made: the environment, caches, the demo (ended first)
	@if [ -d .demo ] && [ -x $(BIN)/python ]; then $(BIN)/python examples/quickstart/demo --stop; fi
	rm -rf .venv .demo .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# What runs Setpoint, and what develops it: two locks, of which the second holds the first.

$(BIN)/python:
	@if [ -z "$(PYTHON)" ]; then echo "Setpoint needs Python 3.11 or newer with the venv module (Debian: apt install python3-venv)."; exit 1; fi
	@echo "Making the Python environment $(VENV) …"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.run: requirements/run.txt pyproject.toml | $(BIN)/python
	@echo "Installing what Setpoint needs from requirements/run.txt …"
	@$(PIP) install --no-compile --require-hashes -r requirements/run.txt
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.run
	@echo "Installing what developers need from requirements/dev.txt …"
	@$(PIP) install --no-compile --require-hashes -r requirements/dev.txt
	@touch $@

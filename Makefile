# Everything that is done with this tree. `make demo` and `make test` need Python 3.11 or newer, make and git: nothing else.

PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	"$$python" -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$python"; break; }; done)
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq
WORKERS ?= 2
# Worlds that are simulated at once; 0: one for each core.
JOBS ?= 0
SEEDS ?= 250
FIRST_SEED ?= 0
# More arguments for pytest, such as PYTEST="-k calendars" or PYTEST="tests/core".
PYTEST ?=

.PHONY: help demo test e2e simulate explore mutants mutation pairs nightly lint types contracts check format bench docs lock clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venv/.run ## bring the quickstart up and watch it work (DEMO_EXIT=1: end by itself)
	@$(BIN)/python examples/quickstart/demo

test: .venv/.dev ## the quick tests, real processes included
	$(BIN)/python -m pytest -n $(WORKERS) -q --ignore=tests/e2e $(PYTEST)

e2e: .venv/.dev ## the slow tests: whole deployments, crashes, real components
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -q -m "not alone" tests/e2e $(PYTEST)
	$(BIN)/python -m pytest -q -m alone tests/e2e $(PYTEST)

simulate: .venv/.dev ## search many simulated worlds for a broken invariant (SEEDS=250 FIRST_SEED=0 SIMULATE=--keep-going)
	$(BIN)/setpoint simulate --seeds $(FIRST_SEED)..$$(( $(FIRST_SEED) + $(SEEDS) )) --jobs $(JOBS) $(SIMULATE)

explore: .venv/.dev ## explore small worlds exhaustively, as far as ten minutes on two cores allow
	$(BIN)/python -m setpoint.simulate.exploring

mutants: .venv/.dev ## deliberate bugs, each of which the tests of the core must catch
	$(BIN)/python tests/mutants/run.py -j $(WORKERS)

mutation: .venv/.dev ## small changes to the core, one at a time: does any test notice? (MUTATION="-n 200 selection"; resumable)
	$(BIN)/python tests/mutation/run.py -j $(WORKERS) $(MUTATION)

pairs: .venv/.dev ## every two features of the configuration language together, or why not: prints the matrix (PAIRS="--most 5")
	$(BIN)/python -m tests.pairs.run $(PAIRS)

nightly: SEEDS = 5000
nightly: simulate explore mutants pairs ## what takes hours: worlds, small worlds, deliberate bugs, pairs of features

lint: .venv/.dev ## ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: .venv/.dev ## let ruff put the code in order
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: .venv/.dev ## mypy --strict
	$(BIN)/mypy --strict

contracts: .venv/.dev ## imports only go down the floors
	$(BIN)/lint-imports

check: lint types contracts ## everything that is quick and runs nothing

bench: .venv/.dev ## how fast, how much memory, how many writes
	$(BIN)/python bench/engine.py $(BENCH)
	$(BIN)/python bench/simulate.py $(BENCH_SIMULATE)

docs: .venv/.dev ## write the generated pages of docs/ again
	$(BIN)/python docs/generate.py

lock: ## choose the newest versions that pyproject.toml allows, and lock them with hashes
	$(PYTHON) -m venv --clear .venv/lock
	.venv/lock/bin/pip --quiet install pip-tools
	.venv/lock/bin/python requirements/lock.py

clean: ## remove what is made: the environment, caches, the demo (ended first)
	@if [ -d .demo ] && [ -x $(BIN)/python ]; then $(BIN)/python examples/quickstart/demo --stop; fi
	rm -rf .venv .demo .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# What runs Setpoint, and what develops it: two locks, of which the second holds the first.

.venv/bin/python:
	@if [ -z "$(PYTHON)" ]; then echo "Setpoint needs Python 3.11 or newer with the venv module (Debian: apt install python3-venv)."; exit 1; fi
	@echo "Making the Python environment .venv …"
	@$(PYTHON) -m venv .venv

.venv/.run: requirements/run.txt pyproject.toml | .venv/bin/python
	@echo "Installing what Setpoint needs from requirements/run.txt …"
	@$(PIP) install --no-compile --require-hashes -r requirements/run.txt
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

.venv/.dev: requirements/dev.txt .venv/.run
	@echo "Installing what developers need from requirements/dev.txt …"
	@$(PIP) install --no-compile --require-hashes -r requirements/dev.txt
	@touch $@

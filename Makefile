# Everything runs in .venv, made from python3 and the hashed locks. Longer logic lives in tools/.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check --quiet install
# For one run: make test ARGS='tests/verify -x', make lock ARGS=--upgrade.
ARGS ?=
PART ?=

unexport PYTHONPATH PYTHONHOME
# The steps of `check` keep their order, also under `make -j`.
.NOTPARALLEL:
.DEFAULT_GOAL := help
.PHONY: help install run test check lint type proto proto-check bench verify clean lock

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(VENV)/.dev ## make the environment with everything needed to work on the project

run: $(VENV)/.package ## start a development server on 127.0.0.1:50051 with its state in ./var
	@exec $(VENV)/bin/authsvc serve --dev $(ARGS)

test: $(VENV)/.dev ## run the tests
	@$(PY) -m pytest $(ARGS)

check: lint type proto-check test ## everything that must hold before a change is merged

lint: $(VENV)/.dev ## style, import directions, dependencies, protos, container files, locks
	@$(PY) -m tools.lint

type: $(VENV)/.dev ## strict type check
	@$(PY) -m mypy

proto: $(VENV)/.dev ## write authsvc/v1 again from protos/
	@$(PY) -m tools.proto generate

proto-check: $(VENV)/.dev ## fail if authsvc/v1 is stale or the contract was broken
	@$(PY) -m tools.proto check
	@$(PY) -m tools.proto breaking

bench: $(VENV)/.dev ## measure speed
	@$(PY) -m bench $(ARGS)

verify: $(VENV)/.dev ## long proofs: all of them, or one with PART=name; their table alone with ARGS=--table
	@$(PY) -m tools.verify $(PART) $(ARGS)

lock: $(VENV)/.dev ## write the locks again from pyproject.toml (newest versions: ARGS=--upgrade)
	@$(PY) -m tools.locks compile $(ARGS)

clean: ## remove the environment and all caches; ./var, where the state is, stays
	@rm -rf $(VENV) build dist .coverage htmlcov .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find . -name .git -prune -o -name var -prune -o -name __pycache__ -type d -exec rm -rf {} +

# One environment in four steps. The developer lock holds every line of the run lock,
# so the last step only adds: going from `run` to `test` and back installs nothing twice.
$(VENV)/.python:
	@$(PYTHON) tools/venv.py $(VENV) && touch $@

$(VENV)/.run: requirements.txt | $(VENV)/.python
	@echo "installing what the server needs" && $(PIP) --require-hashes -r $< && touch $@

$(VENV)/.package: pyproject.toml | $(VENV)/.run
	@$(PIP) --no-deps --no-build-isolation -e . && touch $@

$(VENV)/.dev: requirements-dev.txt $(VENV)/.package
	@echo "installing what development needs" && $(PIP) --require-hashes -r $< && touch $@

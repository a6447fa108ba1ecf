# make demo   run the ring attractor sweep on this machine (creates .venv first)
# make test   run the tests                        (creates .venv first)
# make help   list the rest
#
# PYTHON=python3.12 picks the interpreter of a new environment; DEVICE=cuda the device of make bench.

PYTHON ?= python3
DEVICE ?= cpu
WORKERS ?= 2
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Progress bars on a terminal, silence in a log.
QUIET := $(shell test -t 2 || echo --quiet)

.DEFAULT_GOAL := help
.PHONY: help env demo test soak lint format bench docs clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 10

env: $(READY) ## create or update .venv with the pinned set

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "$(PYTHON) is older than Python 3.11: name a newer one, make PYTHON=python3.12 …" >&2; exit 1; }
	@test -x $(BIN)/python || { echo "Creating $(VENV)"; $(PYTHON) -m venv $(VENV); }
	@echo "Installing NeuroFlame and its pinned dependencies into $(VENV): some minutes the first time"
	@$(BIN)/python -m pip install $(QUIET) --disable-pip-version-check -c constraints.txt -e ".[dev]"
	@touch $@

demo: $(READY) ## sweep the ring attractor, draw its phase diagram; goes on where it was stopped
	@$(BIN)/neuroflame-sweep run sweeps/ring_attractor.yml --out runs/ring_attractor

test: $(READY) ## run the tests, two at a time
	@$(BIN)/python -m pytest -q -n $(WORKERS) $(ARGS)

soak: $(READY) ## run the tests of further faults that make test leaves out
	@$(BIN)/python -m pytest -q -m soak $(ARGS)

lint: $(READY) ## ruff, mypy and the import rules, all of them even if one finds something
	@status=0; \
	for check in "ruff check ." "ruff format --check ." mypy "lint-imports --no-logo"; do \
	    echo "$$check"; $(BIN)/$$check || status=1; \
	done; exit $$status

format: $(READY) ## format the code and mend what ruff can mend
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(READY) ## measure what has a target (DEVICE=cuda on a GPU; ARGS="ring --peer PATH")
	@$(BIN)/python -m benchmarks --device $(DEVICE) $(ARGS)

docs: $(READY) ## write docs/reference from the code
	@$(BIN)/python docs/generate.py

clean: ## remove caches and build files; .venv and runs stay
	@rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +

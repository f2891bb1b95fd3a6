# Everything runs in .venv, which these targets make on first use. `make demo` needs no Redis, Docker or TensorFlow.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
SOURCES := jobs segmentation training worker tests examples

.PHONY: demo test lint format bench clean

# Each set-up is a file in .venv, newer than what it was made from: nothing is installed twice.
.venv/ready-base: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(PIP) --editable .
	@touch $@

.venv/ready-lint: .venv/ready-base
	$(PIP) --editable '.[test,bench]'
	@touch $@

.venv/ready-test: .venv/ready-lint
	$(PIP) --editable '.[train,test,bench]'
	@touch $@

demo: .venv/ready-base
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh examples/demo.sh

test: .venv/ready-test
	$(BIN)/python -m pytest

lint: .venv/ready-lint
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/ready-lint
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

bench: .venv/ready-test
	$(BIN)/python tests/bench/batch_size.py
	$(BIN)/python tests/bench/runtimes.py
	PYTHONPATH=.:tests $(BIN)/python tests/bench/difficulties.py bench-results

clean:
	rm -rf .venv demo-results bench-results

# Every target makes the virtual environment .venv and installs what it needs.
# `make demo PYTHON=python3.12 VENV=/tmp/venv` uses another Python and place.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
# Processes that share the tests; each takes up to 3 GB.
WORKERS ?= 2
# TensorFlow's start-up lines hide what a command prints.
export TF_CPP_MIN_LOG_LEVEL ?= 3

.DEFAULT_GOAL := help
.PHONY: help demo test coverage lint wheel-test docs bench clean

help:
	@echo "make demo        sample and complete images with pixelcnn_cifar10"
	@echo "make test        run the tests (ARGS='tests/layers --slow' chooses)"
	@echo "make coverage    the same, and how much of the package they run"
	@echo "make lint        ruff and mypy"
	@echo "make wheel-test  build the wheel and try it in another environment"
	@echo "make docs        build the guides and a reference: build/site/index.html"
	@echo "make bench       time sampling against scoring (ARGS='--no-peer')"
	@echo "make clean       remove $(VENV), builds and caches"

demo: $(VENV)/.installed
	$(BIN)/python tools/demo.py $(ARGS)

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(ARGS)

# Python 3.11 has to be told of each line, which takes a fourth more time.
coverage: $(VENV)/.installed-dev
	COVERAGE_CORE=$$($(BIN)/python -c 'import sys; \
	  print("sysmon" if sys.version_info >= (3, 12) else "ctrace")') \
	  $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal \
	  --cov=keras_pixel --cov-report=term:skip-covered $(ARGS)

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

wheel-test: $(VENV)/.installed-dev
	$(BIN)/python tools/wheel_test.py

docs: $(VENV)/.installed-dev
	$(BIN)/python -m tools.build_docs

bench: $(VENV)/.installed
	$(BIN)/python -m benchmarks.sampling $(ARGS)

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "keras_pixel needs Python 3.11 or newer. Received:" \
	    "PYTHON=$(PYTHON). Try: make demo PYTHON=python3.11" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

# Installed again only when the metadata is newer than the stamp.
$(VENV)/.installed: setup.cfg pyproject.toml | $(BIN)/python
	@echo "Installing into $(VENV): a few minutes the first time."
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.installed-dev: setup.cfg pyproject.toml | $(BIN)/python
	@echo "Installing into $(VENV): a few minutes the first time."
	$(BIN)/python -m pip install --quiet --editable ".[test,dev]"
	@touch $@ $(VENV)/.installed

# Two commands do everything: `make book` and `make test`. CI calls the same two.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: help environment book test test-fast test-network release grade bench clean

PYTHON ?= python3
export PATH := $(CURDIR)/.venv/bin:$(PATH)
# One thread a process: on models this small a second thread spins more than it computes.
export OMP_NUM_THREADS ?= 1
export MKL_NUM_THREADS ?= 1
export TOKENIZERS_PARALLELISM ?= false
export HF_HUB_OFFLINE ?= 1
export PYDEVD_DISABLE_FILE_VALIDATION := 1

help:
	@echo "make book                     build the book: environment, models, notebooks, HTML"
	@echo "make test                     every check there is (make test-fast: under a minute)"
	@echo "make grade ASSIGNMENT=NAME    grade what lies in submitted/"
	@echo "make release                  make exercises/, notebook twins and diagrams anew from their sources"
	@echo "make bench                    measure training and generation against transformers (and nanoGPT)"
	@echo "make clean                    remove what was built (make book and make test bring it back)"

# The environment is either complete, or made again from nothing: `.venv/installed` is written last and holds
# the requirements it was made from, so an interrupted or outdated installation is never mistaken for a good one.
environment:
	@set -euo pipefail; \
	if ! cat requirements.txt requirements-data.txt pyproject.toml | cmp -s - .venv/installed; then \
	  $(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info[:2] <= (3, 13) else "The course needs Python 3.11, 3.12 or 3.13, and $(PYTHON) is " + sys.version.split()[0] + ": make PYTHON=python3.12 book")'; \
	  echo "Making the environment in .venv (a few minutes, once) ..."; \
	  rm -rf .venv; \
	  $(PYTHON) -m venv .venv; \
	  .venv/bin/python -m pip install --quiet --disable-pip-version-check --requirement requirements.txt; \
	  .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement requirements-data.txt; \
	  .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .; \
	  cat requirements.txt requirements-data.txt pyproject.toml > .venv/installed; \
	fi

# --all: an incremental build does not repeat the warnings of pages it leaves alone, and would pass -W wrongly.
# What was executed before and is still true comes from the execution cache (book/_ext/exec_cache.py).
book: environment
	TQDM_DISABLE=1 jupyter-book build . --all -W --keep-going -n
	@echo; echo "The book is built. Open it: $(CURDIR)/_build/html/index.html"

test: environment
	ruff check .
	ruff format --check .
	lint-imports
	pytest
	TQDM_DISABLE=1 pytest --nbval-lax --nbval-cell-timeout=300 solutions

test-fast: environment
	ruff check .
	lint-imports
	pytest -m "not slow and not browser and not network"

# What needs the internet: loaders of the hub, links that leave the book. Run weekly by .github/workflows/weekly.yml.
test-network: environment
	HF_HUB_OFFLINE=0 pytest -m network --force-enable-socket

release: environment
	python -m course_lib.grading release
	python book/_ext/twins.py
	python book/_ext/draw_diagrams.py

grade: environment
	python -m course_lib.grading grade "$(ASSIGNMENT)"

bench: environment
	python -m benchmarks

clean:
	rm -rf _build .pytest_cache .ruff_cache .import_linter_cache .grimp_cache .hypothesis

# Every target does its own set-up: a virtual environment, what it needs in it, the extension modules in place.
#
#   make run                        the demonstration
#   make test PYTHON=python3.12     the tests on another Python, in an environment of its own
#   make test ARGS="-k chan -x"     arguments for pytest (for tests.bench.run with `make bench`)
#
# The extension modules are built beside the sources and rebuilt by what they are made from; see setup.py. Without
# a C compiler everything works uncompiled, and one line says so.

ifeq ($(origin PYTHON),undefined)
PYTHON := python3
VENV := .venv
else
VENV := .venv-$(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
endif

PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check --quiet
export PIP_ROOT_USER_ACTION := ignore
# By a path, not a finder: a program beside a clone called gonet would import that directory, as a namespace package.
EDITABLE := --no-build-isolation --config-settings editable_mode=compat --editable
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help run test test-pure lint examples bench build clean
.NOTPARALLEL:

help:
	@echo "make run        run the demonstration, examples/echo.py --demo"
	@echo "make test       run the tests"
	@echo "make test-pure  run the tests uncompiled"
	@echo "make lint       ruff and mypy"
	@echo "make examples   run every example"
	@echo "make bench      the full benchmark against other servers"
	@echo "make build      build the extension modules in place"
	@echo "make clean      remove all that was built"
	@echo "with PYTHON=/path/to/python to use that one, and ARGS=... for pytest and the benchmark"

run: build
	$(PY) examples/echo.py --demo

test: build
	$(PY) -m pytest $(ARGS)

test-pure: $(VENV)/.installed
	GONET_PURE=1 $(PY) -m pytest $(ARGS)

lint: $(VENV)/.installed-dev
	$(PY) -m ruff check .
	$(PY) -m mypy

# Each example takes --demo: it is then its own client, and ends.
examples: build
	@set -e; for example in examples/*.py; do \
	    echo "$(PY) $$example --demo"; timeout -k 5 60 $(PY) $$example --demo; \
	done

bench: build $(VENV)/.installed-bench
	$(PY) -m tests.bench.run $(ARGS)

build: $(VENV)/.installed
	@$(PY) setup.py --quiet build_ext --inplace

# An environment that no longer runs (its Python was upgraded or removed) is made anew.
ifneq ($(MAKECMDGOALS),clean)
ifneq ($(shell $(PY) -c 'print(1)' 2>/dev/null),1)
.PHONY: $(VENV)/bin/python
endif
endif

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' \
	    || { echo "gonet needs Python 3.10 or later, as in: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	@rm -rf $(VENV)
	@if $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null; then $(PYTHON) -m venv $(VENV); \
	elif $(PYTHON) -m virtualenv --version >/dev/null 2>&1; then $(PYTHON) -m virtualenv --quiet $(VENV); \
	else \
	    package=python$$($(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv; \
	    echo "$(PYTHON) cannot make a virtual environment: Debian has that in the package $$package" >&2; \
	    test "$$(id -u)" = 0 || exit 1; \
	    echo "installing it: apt-get install $$package" >&2; \
	    export DEBIAN_FRONTEND=noninteractive; \
	    { apt-get update && apt-get install -y --no-install-recommends $$package; } >/dev/null \
	        && $(PYTHON) -m venv $(VENV); \
	fi

# The build requirements stay in the environment: each later build is `setup.py build_ext`, without pip.
$(VENV)/.installed: $(VENV)/bin/python pyproject.toml setup.py Makefile
	@echo "installing into $(VENV), which takes a few minutes where it is compiled"
	@sed -n 's/^requires = \[\(.*\)\]$$/\1/p' pyproject.toml | tr ',' '\n' | xargs $(PIP) install
	@$(PIP) install $(EDITABLE) '.[test]'
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	@$(PIP) install $(EDITABLE) '.[dev]'
	@touch $@

$(VENV)/.installed-bench: $(VENV)/.installed
	@$(PIP) install $(EDITABLE) '.[bench]'
	@touch $@

clean:
	rm -rf build dist *.egg-info .venv .venv-* .pytest_cache .mypy_cache .ruff_cache
	find runtime gonet \( -name '*.so' -o -name '*.pyd' \) -delete
	find runtime gonet tests examples -name __pycache__ -prune -exec rm -rf {} +

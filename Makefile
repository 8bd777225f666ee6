# Two commands matter: make demo, make test. Each sets up what a fresh machine lacks: .venv, the locked packages, the jars.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
JARS ?= $(HOME)/.cache/churnlake/jars

.PHONY: demo test lint docs clean jars setup evaluate

demo: setup
	@$(PY) -m churnlake demo

test: setup
	@$(PY) -m pytest

lint: setup
	@$(PY) -m ruff check lib jobs tests
	@$(PY) -m ruff format --check --diff lib jobs tests
	@$(PY) -m mypy
	@$(VENV)/bin/lint-imports

docs: setup
	@$(PY) -m churnlake dictionary --write

evaluate: setup
	@$(PY) -m churnlake cns

setup: $(VENV)/.ready jars

$(VENV)/.ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("churnlake: Python %d.%d found; install Python 3.11 or newer (with venv) and run make PYTHON=python3.11" % sys.version_info[:2] if sys.version_info < (3, 11) else 0)' || { command -v $(PYTHON) >/dev/null || echo "churnlake: no $(PYTHON); install Python 3.11 or newer (with venv)" >&2; exit 2; }
	@$(PYTHON) -m venv $(VENV) || { echo "churnlake: this Python has no venv; install python3-venv" >&2; exit 2; }
	@echo "installing the locked packages into $(VENV) (once, some minutes)"
	@$(PY) -m pip install -q --disable-pip-version-check -r requirements.lock
	@$(PY) -m pip install -q --disable-pip-version-check --no-deps -e .
	@touch $@

jars: $(VENV)/.ready
	@$(PY) -m churnlake.core.jars "$(JARS)"

clean:
	rm -rf build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache spark-warehouse

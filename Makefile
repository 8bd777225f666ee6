# Two commands matter: make demo, make test. Each sets up what a fresh machine lacks: .venv, the locked packages, the jars.
PYTHON ?= python3
JAVA := $(if $(JAVA_HOME),$(JAVA_HOME)/bin/java,java)
VENV := .venv
PY := $(VENV)/bin/python
CITY ?= standard
SEED ?= 2005
SEEDS ?= 2006
SCALE ?= 1.0
PART ?= 0.1
TIMES ?= 1
JARS ?= $(HOME)/.cache/churnlake/jars
JAR_GROUPS ?=

# a variable as an option, where it was given
given = $(if $(filter command environment,$(firstword $(origin $(1)))),$(2) $($(1)))

.PHONY: demo test test-heavy test-cluster lint notebooks docs clean java jars setup evaluate realism city bench privacy

demo: setup
	@$(PY) -m churnlake demo

test: setup
	@$(PY) -m pytest

# what takes minutes each: kills, the whole chain again, restores, erasures, a judged city
test-heavy: setup
	@$(PY) -m pytest -m "heavy and not cluster"

# a Spark cluster and an S3 server on this machine's loopback; WHOLE=1 adds the whole chain on the city of the tests, an hour, and a packed environment
test-cluster: setup
	@$(PY) -m churnlake.core.jars "$(JARS)" s3 >/dev/null
	@$(PY) -m pytest -n 0 -m "cluster$(if $(WHOLE),, and not heavy)" tests/cluster

lint: setup
	@$(PY) -m ruff check lib jobs notebooks tests
	@$(PY) -m ruff format --check --diff lib jobs notebooks tests
	@$(PY) -m mypy
	@$(VENV)/bin/lint-imports

# the readers' notebooks, executed over the demonstration's lake, as pages
notebooks: setup
	@$(PY) -m churnlake notebooks

docs: setup
	@$(PY) -m churnlake dictionary --write

evaluate: setup
ifneq ($(filter reentry churn,$(WHAT)),)
	@$(PY) -m churnlake evaluate --what $(WHAT) $(if $(SCENARIO),--city $(SCENARIO)) $(call given,CITY,--city) $(call given,SEEDS,--seeds)
else
	@$(PY) -m churnlake cns
	@$(PY) -m churnlake evaluate --city $(CITY) --seeds $(SEEDS)
	@$(PY) -m churnlake faults --seeds $(SEEDS)
	@$(PY) -m churnlake realism
	@$(PY) -m churnlake kills --times 25
	@$(PY) -m churnlake strain --files 1 --megabytes 2048
	@$(PY) -m churnlake strain --files 50000 --megabytes 10
endif

realism: setup
	@$(PY) -m churnlake probe --seeds $(SEEDS)
	@$(PY) -m churnlake realism

city: setup
	@$(PY) -m churnlake city --city $(CITY) --seed $(SEED)

bench: setup
	@$(PY) -m churnlake bench --scale $(SCALE) --times $(TIMES)
	@$(PY) -m churnlake bench --what indicators --scale $(PART) --times $(TIMES)
	@$(PY) -m churnlake bench --what scoring --scale $(SCALE)

privacy: setup
	@$(PY) -m churnlake privacy

setup: java $(VENV)/.ready jars

$(VENV)/.ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("churnlake: Python %d.%d found; install Python 3.11 or newer (with venv) and run make PYTHON=python3.11" % sys.version_info[:2] if sys.version_info < (3, 11) else 0)' || { command -v $(PYTHON) >/dev/null || echo "churnlake: no $(PYTHON); install Python 3.11 or newer (with venv)" >&2; exit 2; }
	@$(PYTHON) -m venv $(VENV) || { echo "churnlake: this Python has no venv; install python3-venv" >&2; exit 2; }
	@echo "installing the locked packages into $(VENV) (once, some minutes)"
	@$(PY) -m pip install -q --disable-pip-version-check -r requirements.lock
	@$(PY) -m pip install -q --disable-pip-version-check --no-deps -e .
	@touch $@

java:
	@$(JAVA) -version 2>&1 | grep -Eq 'version "(17|21)[."]' || { echo "churnlake: no Java 17 or 21; install one (Debian: apt-get install openjdk-17-jre-headless) or set JAVA_HOME" >&2; exit 2; }

jars: $(VENV)/.ready
	@$(PY) -m churnlake.core.jars "$(JARS)" $(JAR_GROUPS)

clean:
	rm -rf build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache spark-warehouse

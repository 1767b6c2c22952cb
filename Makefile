# Each target does its own set-up: nothing is needed but python3 (3.11 or newer) on the PATH.
#
#   make test     style, types, tests with coverage gates (about two minutes on two cores)
#   make check    style and types only
#   make format   lets ruff lay the code out
#   make docs     rewrites the generated parts of docs/
#   make long     the load tests that `make test` leaves out
#   make bench    measures Poise beside its peers (needs wrk and cc; peers that are missing are skipped)
#   make serve    serves the current folder
#   make clean    removes what the other targets made

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
STAMP := $(VENV)/.installed
JOBS ?= 2

.DEFAULT_GOAL := test
.PHONY: test check format docs long bench serve clean

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Poise needs Python 3.11 or newer; '$(PYTHON)' is older or missing. Try: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV) >/dev/null 2>&1 \
	  || { $(PYTHON) -m pip --version >/dev/null 2>&1 && $(PYTHON) -m venv --clear --without-pip $(VENV); } \
	  || { echo "No virtual environment: '$(PYTHON)' has neither ensurepip nor pip. On Debian and Ubuntu:" \
	            "apt-get install python3-venv" >&2; exit 1; }
	@if $(RUN) -m pip --version >/dev/null 2>&1; \
	  then $(RUN) -m pip install --quiet --disable-pip-version-check -e '.[test]'; \
	  else $(PYTHON) -m pip --python $(RUN) install --quiet --disable-pip-version-check -e '.[test]'; fi
	@touch $@

check: $(STAMP)
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy --strict

test: check
	@rm -f .coverage .coverage.*
	$(RUN) -m pytest -n $(JOBS) --dist worksteal --cov --cov-report=
	$(RUN) -m tests.coverage_gate

format: $(STAMP)
	$(RUN) -m ruff check --fix .
	$(RUN) -m ruff format .

docs: $(STAMP)
	$(RUN) -m tests.docs_limits
	$(RUN) -m tests.docs_pitfalls
	$(RUN) -m tests.docs_reference

long: $(STAMP)
	$(RUN) -m pytest -m "long" --timeout 900

bench:
	$(PYTHON) -m bench http
	$(PYTHON) -m bench echo
	$(PYTHON) -m bench timers

serve:
	$(PYTHON) -m poise serve .

clean:
	rm -rf $(VENV) .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache build dist

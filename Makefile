# Each target does its own set-up: nothing is needed but python3 (3.11 or newer) on the PATH.
#
#   make test     style, types, tests with coverage gates (a quarter of an hour on two cores)
#   make check    style and types only
#   make format   lets ruff lay the code out
#   make docs     rewrites the generated parts of docs/
#   make long     the load tests that `make test` leaves out
#   make bench    measures Poise beside its peers and writes docs/benchmarks.md (twenty minutes on a quiet machine; needs
#                 wrk, cc and openssl; peers that are missing are named as missing)
#   make bench-quick   five questions and five servers, in less than two minutes; changes nothing
#   make bench-before  this checkout against the one in BEFORE, 30 pairs of rounds of the question SCENARIO
#   make bench-page    docs/benchmarks.md from what was measured last
#   make serve    serves the current folder
#   make clean    removes what the other targets made

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
STAMP := $(VENV)/.installed
JOBS ?= 2

.DEFAULT_GOAL := test
.PHONY: test check format docs long bench bench-quick bench-before bench-page serve clean

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

# Many tests hold real programs against real time, beside each other. What failed so is asked once more, by itself: a machine that
# had no time passes then, a program that is wrong does not.
AGAIN = $(RUN) -m pytest --last-failed --last-failed-no-failures none --maxfail 1 --cov --cov-append --cov-report=

check: $(STAMP)
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy --strict

test: check
	@rm -f .coverage .coverage.*
	$(RUN) -m pytest -n $(JOBS) --dist worksteal --cov --cov-report= || $(AGAIN)
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

# Where Debian has its servers, which is not on everybody's PATH.
bench bench-quick bench-before: export PATH := $(PATH):/usr/sbin

BENCH := $(VENV)/.bench-installed
BEFORE ?= ../before
SCENARIO ?= small

$(BENCH): $(STAMP)
	@if $(RUN) -m pip --version >/dev/null 2>&1; \
	  then $(RUN) -m pip install --quiet --disable-pip-version-check -e '.[bench]'; \
	  else $(PYTHON) -m pip --python $(RUN) install --quiet --disable-pip-version-check -e '.[bench]'; fi
	@touch $@

bench: $(BENCH)
	$(RUN) -m bench http --json docs/benchmarks/http.json
	$(RUN) -m bench echo --json docs/benchmarks/echo.json
	$(RUN) -m bench timers --json docs/benchmarks/timers.json
	$(RUN) -m bench page

bench-quick:
	$(PYTHON) -m bench http --rounds 2 --seconds 1 --only poise floor lighttpd nginx-cache nginx \
	  --scenario small small-logged many close 100KiB

bench-before:
	$(PYTHON) -m bench http --rounds 30 --only poise --baseline $(BEFORE) --scenario $(SCENARIO)

bench-page: $(BENCH)
	$(RUN) -m bench page

serve:
	$(PYTHON) -m poise serve .

clean:
	rm -rf $(VENV) .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache build dist

# The only developer interface. `make` prints what there is.

VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.set-up
# Python's own modules first: a virtual environment in force must not leak into ours.
unexport PYTHONPATH PYTHONHOME

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint format scenarios simulate bench lock

help: ## print this
	@printf 'clarus-stream: what make can do\n\n'
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{printf "%-20s %s\n", $$1, $$2}'

setup: $(STAMP) ## make the virtual environment (done by the others where needed)

$(STAMP): requirements.lock pyproject.toml
	@set -e; started=$$(date +%s); \
	if ! [ -x $(BIN)/python ]; then \
	  for candidate in $(PYTHON) python3.13 python3.12 python3.11 python3; do \
	    if $$candidate -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then python=$$candidate; break; fi; \
	  done; \
	  if [ -z "$$python" ]; then \
	    echo 'clarus-stream needs Python 3.11 or newer; none was found (looked for python3.13, python3.12, python3.11, python3).' >&2; \
	    echo 'Install one, or name it: make PYTHON=/path/to/python3 ...' >&2; exit 1; \
	  fi; \
	  echo "set-up: $$($$python --version) in $(VENV)"; \
	  $$python -m venv $(VENV) || { echo "Python's venv module does not work here; on Debian and Ubuntu: apt-get install python3-venv" >&2; rm -rf $(VENV); exit 1; }; \
	fi; \
	$(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip >/dev/null; \
	export PIP_DISABLE_PIP_VERSION_CHECK=1; \
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock; \
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .; \
	touch $@; echo "set-up: $$(( $$(date +%s) - started )) s"

demo: $(STAMP) ## a sale on two simulated storefronts, on the bundled broker, about a minute
	@$(BIN)/clarus-stream demo

test: lint ## everything that is checked: lint, types, imports, all tests (40 minutes at most)
	@$(BIN)/python -m pytest --session-timeout=2400

lint: $(STAMP) ## formatting, lint, types, import rules
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports >/dev/null || $(BIN)/lint-imports

format: $(STAMP) ## format the code
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix --quiet .

scenarios: $(STAMP) ## every scenario file through the whole product, a table at the end (FILES=... for some)
	@$(BIN)/python -m tests.scenarios.run $(ARGS) $(FILES)
	@$(if $(FILES)$(ARGS),,$(BIN)/python -m pytest -q -m drills tests/scenarios)

simulate: $(STAMP) ## the ledger by seed against lags, losses, doubles and crashes (FIRST=700000 SCALE=5 ONLY=... JSON=FILE, REMOVED=1: without each rule)
	@$(BIN)/python -m tests.model.simulate $(if $(FIRST),--first $(FIRST)) $(if $(SCALE),--scale $(SCALE)) $(if $(ONLY),--only "$(ONLY)") \
	  $(if $(JSON),--json "$(JSON)") $(if $(REMOVED),--removed)

bench: $(STAMP) ## benchmarks, one after another on a quiet machine (NAMES="engine ..." for some, QUICK=1 to try)
	@$(BIN)/python -m bench $(NAMES) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(QUICK),--quick)

lock: ## write requirements.lock anew from pyproject.toml (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --extra dev --generate-hashes --no-emit-index-url --no-header pyproject.toml -o requirements.lock

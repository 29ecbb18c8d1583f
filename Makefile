# Everything runs in .venv, made from the lock on first use. PYTHON is any Python from 3.11 to 3.13.
PYTHON ?= python3
BIN := .venv/bin
UI_PORT ?= 4200
# One more than there are cores: tests wait for servers and processes.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print(min(os.cpu_count() or 1, 8) + 1)')
CHROMIUM := $(shell command -v chromium || command -v chromium-browser || command -v google-chrome)

.PHONY: demo test check format bench faults merges ui lock clean

demo: .venv/installed  ## load 2,000 messy customers into the sandbox, and say where the report is
	@$(BIN)/bulkload demo

test: .venv/installed  ## every test; those of the report's looks need Chromium, some of sources a server's program
	@test -n "$(CHROMIUM)" || echo "no Chromium here: tests/browser is left out (Debian: apt-get install chromium)"
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(if $(CHROMIUM),,--ignore=tests/browser)

check: .venv/installed  ## format, lint, types, rooms
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_rooms.py

format: .venv/installed  ## put the code in its form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: .venv/installed  ## measure; prints a table and keeps it in benchmarks/results
	$(BIN)/python benchmarks/bench.py $(if $(COMPARE),--compare $(COMPARE))

faults: .venv/installed  ## 2,000 random schedules, then the scoreboard; kept in benchmarks/results
	BULKLOAD_SEEDS=0-1999 $(BIN)/python -m pytest -q tests/flows/test_simulation.py
	$(BIN)/python -m benchmarks.faults

merges: .venv/installed  ## two files with shared identifiers, by a plain script and by bulkload: who merges people
	$(BIN)/python -m benchmarks.merges

ui: .venv/installed  ## a local Prefect server with the demo as a run to look at; Ctrl-C stops it
	@UI_PORT=$(UI_PORT) BIN=$(BIN) sh flows/ui.sh

lock:  ## renew requirements.lock from pyproject.toml (needs uv)
	uv pip compile --universal --generate-hashes --no-emit-index-url --python-version 3.11 --extra dev \
		pyproject.toml -o requirements.lock

clean:  ## remove what the other targets made; past runs stay: their ledger knows who got points
	rm -rf .venv build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis benchmarks/made
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
		|| { echo "bulkload needs Python 3.11 to 3.13; say which: make PYTHON=python3.12 demo"; exit 2; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

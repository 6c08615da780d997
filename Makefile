# The project's commands. `make demo` and `make test` need Python 3.11+ and nothing else; see CONTRIBUTING.md.

PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test lint web check full bench docs screens clean

demo: .venv/ready  ## set up and run the main job against an embedded stand-in hub
	$(BIN)/comfywatchman demo

test: lint web check  ## set up and run every check of a commit

lint: .venv/ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	mkdir -p .mypy_cache && ln -sfn "$(CURDIR)" .mypy_cache/pack  # ComfyUI too knows us by a name of its own
	MYPYPATH=.mypy_cache $(BIN)/mypy -p pack.nodes
	$(BIN)/lint-imports --no-logo

web:  ## the pages: types and pure modules; the browser's tests are pytest's
ifeq ($(shell command -v npm),)
	@echo "SKIPPED: the checks of web/ need node 18 or newer with npm"
else
	cd tests/web && npm ci --silent --no-audit --no-fund && npm run --silent types && npm run --silent unit
endif

check: .venv/ready
	$(BIN)/pytest -q -m "not full" --cov --cov-report=term:skip-covered

full: .venv/ready lint web  ## everything, the long suites included
	$(BIN)/pytest -q --cov --cov-report=term:skip-covered

bench: .venv/ready  ## benchmarks: one JSON object a line
	$(BIN)/python -m benchmarks

screens: .venv/ready  ## make the pictures of docs/reference/screens.md again; COMFYUI_PATH adds ComfyUI's
	COMFYWATCHMAN_SCREENS=docs/images/screens $(BIN)/pytest -q tests/web/test_screens.py

docs: .venv/ready  ## write the generated pages of the reference again
	$(BIN)/python -m docs.generate

.venv/ready: pyproject.toml uv.lock
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	UV_SYSTEM_CERTS=1 UV_PROJECT_ENVIRONMENT=.venv $(BIN)/uv sync --quiet --locked --inexact
	touch $@

clean:
	rm -rf .venv dist build .coverage* .mypy_cache .ruff_cache .pytest_cache .hypothesis tests/web/node_modules

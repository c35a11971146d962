# The only commands; CI runs the same ones. Each installs what it needs into .venv first.
# --no-compile: Python compiles what it imports by itself, and most is never imported.
PYTHON ?= python3

BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt
TESTS := OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --dist loadfile
BASE := .venv/base-is-installed
ALL := .venv/all-is-installed

.PHONY: demo test check format bench docs clean

demo: $(BASE)  ## Score a synthetic chest series at three doses; needs no PyTorch.
	$(BIN)/python -m ctiqa.cli.demo

test: $(ALL)  ## Run every test, on every core.
	$(TESTS)

check: $(ALL)  ## Format, lint, types, the layer contract, then every test.
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(TESTS)

format: $(ALL)  ## Rewrite the code as ruff wants it, and the tree in the README.
	$(BIN)/ruff format
	$(BIN)/ruff check --fix
	$(BIN)/python tests/test_architecture.py

bench: $(ALL)  ## Measure what is fast, and against whom.
	for script in benchmarks/*.py; do $(BIN)/python $$script || exit 1; done

docs: $(ALL)  ## Build the site into build/site, then check the documents' links and commands.
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	$(BIN)/python -m pytest tests/test_docs.py

clean:  ## Delete what the other commands made, except .venv, corpora/ and runs/.
	rm -rf demo-out build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find benchmarks src tests -name __pycache__ -type d -exec rm -rf {} +

$(BASE): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(PIP) -e '.[picture]'
	touch $@

$(ALL): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(PIP) -e '.[train,dev]'
	touch $(BASE) $@

# `make help` lists the targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
LOWEST := .venv-lowest

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-lowest lint docs format page clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z%-]+:.*## / {sub("%", "TABLE", $$1); printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## Create or refresh .venv

# Stale as soon as the project file or the pins are newer; begun afresh, so that a broken one heals.
$(STAMP): constraints.txt
$(LOWEST)/.installed: constraints-lowest.txt
%/.installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "make: $(PYTHON) is older than Python 3.11; use make PYTHON=python3.11 ..." >&2; exit 2; }
	$(PYTHON) -m venv --clear $*
	$*/bin/python -m pip install --quiet --constraint $(filter constraints%,$^) --editable '.[dev]'
	@touch $@

demo: $(STAMP) ## Learn a map of scikit-learn's digits; about two minutes on two cores
	$(BIN)/dimred train experiment=demo

BUDGET ?= full
reproduce-%: $(STAMP) ## Make the runs of a paper's table: BUDGET=full, short or smoke; ARGS='KEY=VALUE ...'
	$(BIN)/dimred reproduce $* --budget $(BUDGET) $(ARGS)

TEST := -m pytest -n 2 --dist loadfile
test: $(STAMP) ## Run all tests
	$(BIN)/python $(TEST)

# Without the page in a browser, which has no bound to hold.
test-lowest: $(LOWEST)/.installed ## Run the tests with the lowest versions that pyproject.toml allows
	$(LOWEST)/bin/python $(TEST) --ignore-glob='tests/whole_runs/test_page*'

lint: $(STAMP) ## Check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(VENV)/.docs-installed ## Build the documentation into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

$(VENV)/.docs-installed: $(STAMP)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[docs]'
	@touch $@

page: ## Bundle the page of `dimred view`, after a change in dimred/page/src; wants Node.js
	cd dimred/page && npm ci && npm run build

format: $(STAMP) ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## Remove .venv and caches; outputs/ stays
	rm -rf $(VENV) $(LOWEST) site .mypy_cache .pytest_cache .ruff_cache build dist

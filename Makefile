# Each command makes what it needs: Debian 12 with Python 3.11, make and git is enough to start from.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# A file's tests stay together, since many files start a server of their own; in the order of the tree, where
# what takes longest does not come last.
PYTEST_OPTIONS ?= -n auto --dist loadfile --no-loadscope-reorder
ifeq ($(CI),true)
PYTEST_OPTIONS += -p tests.no_skips
endif
# Tests and demo start many processes; compiled modules are worth keeping between them.
unexport PYTHONDONTWRITEBYTECODE
LOCK := requirements/dev.txt
STAMP := $(VENV)/installed
PROJECTS := pyproject.toml src/packhouse_client/pyproject.toml

.DEFAULT_GOAL := help
.PHONY: help install demo test check format lock clean

help:  ## Show this help
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(STAMP)  ## Put both distributions and the development tools into .venv

demo: install  ## Start a server, publish packages, mirror a channel and install from both
	$(BIN)/python -m demo

test: install  ## Run all tests, on SQLite and PostgreSQL, on a folder and S3
	scripts/install-services
	$(BIN)/python -m pytest $(PYTEST_OPTIONS)

check: install  ## Lint, check the format and the types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: install  ## Format the code and mend what can be mended
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

lock: install  ## Resolve the dependencies anew into requirements/dev.txt
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-emit-find-links --no-header --no-annotate \
		$(PROJECTS) requirements/dev.in --output-file $(LOCK)

clean:  ## Remove what make and the tools made
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis dist build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMP): $(LOCK) $(PROJECTS) scripts/make-venv
	scripts/make-venv $(PYTHON) $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $(LOCK)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation \
		--editable . --editable src/packhouse_client
	touch $@

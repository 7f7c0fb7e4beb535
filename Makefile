# The doors of the house. `make run` and `make test` bring everything they need.
SHELL := /bin/bash
VENV := .venv
PYTHON ?= python3

.PHONY: install run check test bench clean
install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml
	@./deploy/prepare.sh agent
	@$(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check --editable .
	@touch $@

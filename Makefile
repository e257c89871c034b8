# kdeploy: the front door. `make help` lists what there is.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
ACTIONS := action.yml composite/action.yml
WORKFLOWS := $(sort $(wildcard examples/workflows/*.yml))
GITLAB := examples/gitlab/.gitlab-ci.yml

.PHONY: help demo setup check test e2e bench docs image format release cluster-up cluster-down cluster-binaries clean

help: ## This list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | awk -F'\t' '{printf "  %-18s %s\n", $$1, $$2}'

demo: .venv-demo/.installed ## See the whole main job on an embedded cluster: Python and git are all it takes
	@.venv-demo/bin/python -m kdeploy demo

.venv-demo/.installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "kdeploy needs Python 3.11 or later: set PYTHON=/path/to/python3.11"; exit 1; }
	@echo "installing kdeploy into .venv-demo ..."
	@test -x .venv-demo/bin/python || $(PYTHON) -m venv .venv-demo
	@.venv-demo/bin/python -m pip install -q --disable-pip-version-check --no-compile -e .
	@touch $@

setup: $(STAMP) ## Make .venv with kdeploy and what its development needs
$(STAMP): pyproject.toml kdeploy/__init__.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "kdeploy needs Python 3.11 or later: set PYTHON=/path/to/python3.11"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -q --disable-pip-version-check --upgrade "pip>=25.1"
	@$(BIN)/python -m pip install -q --disable-pip-version-check -e . --group dev
	@touch $@

check: $(STAMP) ## Style, types, floors, pipelines: ruff, mypy --strict, import-linter, zizmor, check-jsonschema
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/zizmor --offline --quiet --persona=auditor --strict-collection --config zizmor.yml $(ACTIONS) $(WORKFLOWS)
	$(BIN)/check-jsonschema --builtin-schema vendor.github-actions $(ACTIONS)
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows $(WORKFLOWS)
	$(BIN)/check-jsonschema --builtin-schema vendor.gitlab-ci $(GITLAB)

test: $(STAMP) ## Unit and contract tests: no network, no Docker, no cluster
	$(BIN)/pytest -q

e2e: $(STAMP) ## End-to-end tests on a real cluster (see tests/cluster/README.md)
	$(BIN)/python -m tests.e2e

bench: $(STAMP) ## Measure against kubectl in one run, into docs/benchmarks.md
	$(BIN)/python -m bench

docs: $(STAMP) ## Write the generated docs anew (docs/cli.md, schemas)
	$(BIN)/python -m docs.generate

image: $(STAMP) ## Build the container image where none can be pulled, in the cluster's Docker Engine (make cluster-up)
	$(BIN)/python -m tests.image

format: $(STAMP) ## Let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

release: $(STAMP) ## Make a release's tags: VERSION=vX.Y.Z IMAGE=REGISTRY/OWNER/kdeploy@sha256:... (docs/releasing.md)
	@$(BIN)/python -m tools.release --version "$(VERSION)" --image "$(IMAGE)"

cluster-up: $(STAMP) ## Start a real cluster and registry for development
	$(BIN)/python -m tests.cluster up

cluster-down: $(STAMP) ## Stop it and leave nothing behind
	$(BIN)/python -m tests.cluster down

cluster-binaries: $(STAMP) ## Build a current Kubernetes from its Go modules into the cache
	$(BIN)/python -m tests.cluster.binaries

clean: ## Remove the virtual environment and caches
	rm -rf $(VENV) .venv-demo .mypy_cache .ruff_cache .pytest_cache .hypothesis

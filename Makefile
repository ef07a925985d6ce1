# `make demo` and `make test` set up everything they need; it lands in .venv and build.
PYTHON ?= python3
DURATION ?=
WORKERS ?= 3
PYTEST_ARGS ?=

BIN := .venv/bin
INSTALL := PIP_CONSTRAINT=constraints.txt PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/pip install -qq --editable
IMAGE := odp-exporter

# haproxy lives in /usr/sbin, which an ordinary user's path leaves out.
export PATH := $(PATH):/usr/sbin

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help demo test bench lint fmt docs dashboards pictures debian-tools constraints image clean

help: ## show this
	@echo 'usage: make TARGET'
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' Makefile | expand -t 16

demo: .venv/.demo ## simulated ODPs behind a load balancer: a death and a hang repaired, a repair refused; DURATION=45s ends it
	@$(BIN)/odp-exporter demo $(if $(DURATION),--duration $(DURATION))

test: .venv/.test debian-tools build/render/.built lint ## everything that CI runs; PYTEST_ARGS='tests/cache -x' runs a part
	$(BIN)/pytest -rs -n $(WORKERS) $(PYTEST_ARGS)

# Without what only tests need: structlog and PyMySQL would load some of it, and weigh more.
bench: build/bench/.created ## what the exporter costs: processor, memory, time of a scrape; docs/benchmarks.md names the rest
	@build/bench/bin/python -m benchmarks.limits
	@build/bench/bin/python -m benchmarks.scrape

lint: .venv/.test ## format, lint, types, imports; changes nothing
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

fmt: .venv/.test ## format, and mend what ruff can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: .venv/.test ## generate what is generated: pages of docs, rules of both profiles
	$(BIN)/python -m odp_exporter.reference >docs/metrics.md
	$(BIN)/python rules/render.py

dashboards: .venv/.test ## generate the dashboards
	$(BIN)/python -m dashboards.generate

pictures: .venv/.test debian-tools build/render/.built ## play a bad night, and take the pictures of docs/images
	$(BIN)/python -m dashboards.pictures

# Where nothing may be installed, tests are left out and say so; in CI that is a failure.
debian-tools:
	@missing=$$(while read -r tool package; do command -v $$tool >/dev/null || echo $$package; done <tests/debian-tools); \
	[ -z "$$missing" ] || scripts/install-debian $$missing || { \
		echo "the tests that need these packages are left out:" $$missing; \
		[ "$$CI" != true ] || { echo "CI=true: nothing may be left out"; exit 1; }; \
	}

constraints: ## pin the newest versions that pyproject.toml allows
	rm -rf build/constraints
	$(PYTHON) -m venv build/constraints
	build/constraints/bin/pip install -qq --editable '.[test]'
	build/constraints/bin/pip freeze --exclude-editable >constraints.txt
	rm -rf build/constraints

image: ## build the container image (needs Docker)
	docker build --tag $(IMAGE) .

clean: ## remove all that the targets above made
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
	find exporter tests -name __pycache__ -prune -exec rm -rf {} +

.venv/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "$(PYTHON) is older than Python 3.11, or missing (try: make PYTHON=/usr/bin/python3.11)"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || scripts/install-debian python3-venv
	$(PYTHON) -m venv .venv
	@touch $@

.venv/.demo: .venv/.created pyproject.toml constraints.txt
	$(INSTALL) .
	@touch $@

.venv/.test: .venv/.created pyproject.toml constraints.txt
	$(INSTALL) '.[test]'
	@touch $@

build/bench/.created: pyproject.toml constraints.txt
	$(PYTHON) -m venv build/bench
	PIP_CONSTRAINT=constraints.txt PIP_DISABLE_PIP_VERSION_CHECK=1 build/bench/bin/pip install -qq --editable .
	@touch $@

# Built beside the sources: whoever looks through the project need not look through node_modules.
build/render/.built: $(wildcard dashboards/render/* dashboards/render/.npmrc dashboards/render/src/* dashboards/render/src/panels/*)
	@command -v npm >/dev/null || { echo "left out: the page that draws the dashboards needs npm"; [ "$$CI" != true ]; }
	@! command -v npm >/dev/null || { \
		mkdir -p build/render && cp -r dashboards/render/. build/render && cd build/render && \
		{ cmp -s package-lock.json node_modules/.installed || { npm ci && cp package-lock.json node_modules/.installed; }; } && \
		npm run --silent check && npm run --silent build && touch .built; \
	}

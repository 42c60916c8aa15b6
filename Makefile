# Every command of the project. CI runs `make test` and nothing else.
# The first target that needs it installs everything into .venv; until a requirement changes, that costs nothing again.

PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
NOTEBOOKS := $(wildcard notebooks)
# No test may reach, or pay for, a real model. Set to nothing rather than unset: the environment goes before .env.
OFFLINE := OPENAI_API_KEY= OPENAI_BASE_URL= INTERCOM_MODEL= INTERCOM_PLAY=
# One test more at a time than there are cores, in the order in which they were shuffled; what runs alone comes last.
PARALLEL := -n auto --dist loadgroup --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help demo test check quick long lowest docs aimock js views test-browser screenshots lint format types imports coverage bench bench-views lab notebooks lock release clean

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(STAMP)  ## Run both demos; without a key they use the offline assistant
	@$(BIN)/python -m intercom_nb demo

test: check  ## Run every check; pytest's summary comes last

check: lint types imports  ## The same as test
	$(OFFLINE) $(BIN)/python -m pytest $(PARALLEL) --doctest-modules --nbmake --nbmake-timeout=300 intercom_nb tests $(NOTEBOOKS)

quick: $(STAMP)  ## Run the tests that need no browser, kernel or kill, with few random examples: a minute or two
	$(OFFLINE) $(BIN)/python -m pytest $(PARALLEL) --hypothesis-profile=quick -m "not (slow or kernel or alone)" --doctest-modules intercom_nb tests

long: $(STAMP)  ## Run the tests with ten times the kills and random societies, others each time: an hour
	$(OFFLINE) $(BIN)/python -m pytest $(PARALLEL) --hypothesis-profile=long -m "not alone" tests

# What tests and builds is the newest there is; the package's own requirements are the oldest that pyproject.toml allows.
# Old libraries warn of what has changed since; that is no fault of ours, so warnings are no errors here.
LOWEST := build/lowest
lowest: $(STAMP)  ## Run the core of the tests with the oldest versions of every requirement
	$(BIN)/uv --no-config pip compile pyproject.toml --resolution lowest-direct --python-version 3.11 \
		--no-annotate --no-header --quiet -o $(LOWEST).txt
	$(BIN)/uv --no-config venv --quiet --clear --python $(BIN)/python $(LOWEST)
	$(BIN)/uv --no-config pip install --quiet --python $(LOWEST)/bin/python -c $(LOWEST).txt --group test -e .
	$(OFFLINE) $(LOWEST)/bin/python -m pytest $(PARALLEL) -W default --hypothesis-profile=quick -m "not (slow or kernel or alone)" $(CORE)

CORE := $(addprefix tests/,analysis builder command contacts demos lab log members models routing runs service texts views)

# An environment of its own: what builds the site is nothing that the package or its tests need.
DOCS := build/docs
$(DOCS)/.installed: requirements-docs.lock pyproject.toml
	$(PYTHON) -m venv --clear $(DOCS)
	$(DOCS)/bin/python -m pip install --quiet --require-hashes --only-binary :all: -r requirements-docs.lock
	$(DOCS)/bin/python -m pip install --quiet --no-build-isolation --no-deps -e .
	@touch $@

docs: $(DOCS)/.installed  ## Build the site into build/site: every notebook runs, a warning or a dead link within is an error
	$(DOCS)/bin/python -m sphinx -c docs -b html -E -W --keep-going -q . build/site
	$(DOCS)/bin/python tools/site_links.py build/site

test-browser: $(STAMP)  ## Run the tests in a real JupyterLab and a real Chromium, and nothing else
	$(OFFLINE) CI=true $(BIN)/python -m pytest tests/browser

screenshots: $(STAMP)  ## Draw the pictures of the views again: docs/dashboard.png, the others into build/screenshots
	$(OFFLINE) CI=true $(BIN)/python -m pytest tests/browser/test_screenshots.py
	cp build/screenshots/dashboard.png docs/dashboard.png

js: js/node_modules/.package-lock.json  ## Install what the views' script is built, checked and tested with (needs Node 20 and npm)

js/node_modules/.package-lock.json: js/package-lock.json
	cd js && npm ci --ignore-scripts --no-audit --no-fund

views: js  ## Build the views' script and style sheet
	cd js && npm run --silent build

aimock: tests/aimock/node_modules/.package-lock.json  ## Install the fake model server of tests/aimock (needs Node 20 and npm)

tests/aimock/node_modules/.package-lock.json: tests/aimock/package-lock.json
	cd tests/aimock && npm ci --ignore-scripts --no-audit --no-fund

lint: $(STAMP)  ## Check style and formatting, notebooks included
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(STAMP)  ## Mend what ruff can mend, and format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(STAMP)  ## Check types
	$(BIN)/mypy

imports: $(STAMP)  ## Check that modules import only from the layers below them
	$(BIN)/lint-imports --no-logo

coverage: $(STAMP)  ## Run the tests and show the lines and branches they miss
	$(OFFLINE) $(BIN)/python -m pytest $(PARALLEL) --doctest-modules --cov=intercom_nb intercom_nb tests

BENCHMARKS := tokens turns crowds shapes read_million long_logs import_time search_quality

bench: $(STAMP)  ## Time the package against its limits (make bench BENCHMARKS=turns: one of them); ratios go to benchmarks/results
	@missed=; for name in $(BENCHMARKS); do \
		echo "\n== $$name"; $(OFFLINE) $(BIN)/python benchmarks/$$name.py || missed="$$missed $$name"; \
	done; test -z "$$missed" || { echo "a goal is missed in:$$missed"; exit 1; }

bench-views: $(STAMP)  ## Time the views in a real JupyterLab and a real Chromium
	$(BIN)/python benchmarks/views.py

lab: $(STAMP)  ## Open the notebooks in JupyterLab
	$(BIN)/jupyter lab notebooks/

notebooks: $(STAMP)  ## Run every notebook again and store its outputs; renew their recordings where they no longer fit
	$(BIN)/python tools/refresh_notebooks.py

# 3.11 is where the resolution begins, whichever Python runs it.
lock: $(STAMP)  ## Resolve requirements-dev.lock anew
	$(BIN)/uv --no-config pip compile pyproject.toml --group dev --upgrade --universal --python-version 3.11 \
		--generate-hashes --no-strip-extras --no-annotate --no-emit-index-url --custom-compile-command "make lock" --quiet -o requirements-dev.lock
	$(BIN)/uv --no-config pip compile pyproject.toml --group docs --constraints requirements-dev.lock --upgrade --universal \
		--python-version 3.11 --generate-hashes --no-strip-extras --no-annotate --no-emit-index-url \
		--custom-compile-command "make lock" --quiet -o requirements-docs.lock

# What is built is what is committed; publishing is the work of .github/workflows/release.yml.
release: $(STAMP)  ## Build wheel and sdist of a tag into dist (make release TAG=v1.2.3 REPOSITORY=https://…)
	$(BIN)/python tools/release.py "$(TAG)" --repository "$(REPOSITORY)"

clean:  ## Remove .venv and everything the tools left behind
	rm -rf .venv build dist htmlcov .coverage .coverage.*
	rm -rf tests/aimock/node_modules js/node_modules
	rm -rf .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -type d \( -name __pycache__ -o -name .ipynb_checkpoints \) -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "intercom_nb needs Python 3.11 or later, and $(PYTHON) is not; name one that is: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -m venv .venv || \
		{ rm -rf .venv; echo "$(PYTHON) cannot make a virtual environment; on Debian and Ubuntu, install python3-venv first"; exit 1; }

# The package itself is built with the hatchling of the lock: nothing is fetched that has no hash.
$(STAMP): requirements-dev.lock pyproject.toml | $(BIN)/python
	@echo "Installing intercom_nb and its development tools into .venv (about 140 packages; 1 to 3 minutes the first time)"
	$(BIN)/python -m pip install --require-hashes --only-binary :all: -r requirements-dev.lock
	$(BIN)/python -m pip install --no-build-isolation --no-deps -e .
	@touch $@

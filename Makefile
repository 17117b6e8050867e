# The entry points of this repository. `make` alone lists them.
VENV ?= .venv
PORT ?=
DATA ?=
COLLECTION ?=

BIN := $(VENV)/bin
ifneq ($(PORT),)
export VO_SERVER_PORT := $(PORT)
endif

.PHONY: help install serve doctor test check unit bench bench-data docs lock clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1	\2/'

install: ## install what is missing: PostgreSQL, pgSphere, the Python packages
	@resources/install.sh $(VENV)

serve: install ## serve a release (DATA=directory, COLLECTION=file.toml) or a simulated sample, on PORT
	@exec $(BIN)/vo-server quickstart $(if $(DATA),"$(DATA)") $(if $(COLLECTION),--collection "$(COLLECTION)")

doctor: install ## check installation, database, files and metadata
	@$(BIN)/vo-server doctor

test: ## everything: style, types, all tests; from a bare machine
	@resources/install.sh $(VENV) test
	@$(MAKE) --no-print-directory check unit

check: ## style and types only
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

unit: ## the tests only
	$(BIN)/pytest

bench: ## measure, each figure beside its yardstick (DATA=directory: on that release)
	@resources/install.sh $(VENV) test
	$(if $(DATA),VO_SERVER_BENCH_RELEASE="$(DATA)") $(BIN)/python -m benchmarks.run

bench-data: ## serve N=1000000 simulated observations from a database of their own, on PORT
	@resources/install.sh $(VENV)
	@exec $(BIN)/python -m benchmarks.published $(or $(N),1000000)

docs: ## write the generated pages of docs/
	$(BIN)/python -m docs.generate

lock: ## pin the newest versions that pyproject.toml allows
	$(BIN)/pip install -q pip-tools
	$(BIN)/pip-compile -q --upgrade --generate-hashes --allow-unsafe --strip-extras --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --all-build-deps -o requirements.lock pyproject.toml
	$(BIN)/pip-compile -q --upgrade --generate-hashes --allow-unsafe --strip-extras --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --all-build-deps --extra test -c requirements.lock -o requirements-test.lock pyproject.toml

clean: ## remove what was built here (not the data directory)
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis

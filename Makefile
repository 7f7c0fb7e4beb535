# The doors of the house. `make run` and `make test` bring everything that they need.
VENV := .venv
PYTHON ?= python3
BIN := $(VENV)/bin

.PHONY: install run test check faults bench screenshots clean

install: $(VENV)/.agent

# The agent and what it needs to run, nothing else.
$(VENV)/.agent: pyproject.toml deploy/prepare.sh
	@./deploy/prepare.sh agent
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.test: $(VENV)/.agent tests/borg_without_pytest.pth
	@./deploy/prepare.sh test
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@cp tests/borg_without_pytest.pth "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/"
	@touch $@

# The demo colocation, until Ctrl-C. FULL=1 adds a real Prometheus and a real Matrix server.
run: install
	@if [ -n "$(FULL)" ]; then ./deploy/prepare.sh full; fi
	@exec $(BIN)/coloc-agent demo --folder .demo $(if $(FULL),--full)

# Form and types: quick, no server.
check: $(VENV)/.test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/unit

# Everything, with real servers. Tests wait more than they compute: one process more than there are processors. A file
# stays in one process, in its order; the slow files come first.
test: $(VENV)/.test
	$(BIN)/python -m pytest -q tests -n $$(( $$(nproc) + 1 )) --dist loadfile --no-loadscope-reorder

# Long campaigns, as root: random faults over backup, drill, prune and restore; 200 incidents, 30 kills of the daemon.
# make faults COUNT=1000 SEED=7 repeats one.
COUNT ?= 300
faults: $(VENV)/.test
	@$(BIN)/python -m tests.faults.telling $(if $(SEED),--seed $(SEED))
	@$(BIN)/python -m tests.faults.campaign --long --count $(COUNT) $(if $(SEED),--seed $(SEED))

# Every benchmark, or those that are named: make bench BENCH=scrape.
BENCH ?= $(basename $(notdir $(wildcard bench/*.py)))
bench: $(VENV)/.test
	@./deploy/prepare.sh bench
	@status=0; for name in $(BENCH); do $(BIN)/python bench/$$name.py || status=1; done; exit $$status

# The pictures of docs/pages, of a made-up colocation.
screenshots: $(VENV)/.test
	@./deploy/prepare.sh screenshots
	$(BIN)/python -m docs.pages.take

clean:
	rm -rf .demo .cache $(VENV)

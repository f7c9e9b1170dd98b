# `make` says what there is. Everything runs from .venv, which `make install` fills.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# Containers often set it. Tests start hundreds of processes of ours: each would compile all that it
# imports, and so would each process of pytest, which also rewrites the assertions.
unexport PYTHONDONTWRITEBYTECODE

BIN := .venv/bin
STAMP := .venv/.installed
# For example: make test PYTEST_ARGS='-k request -x'
PYTEST_ARGS ?=
PYTEST := $(BIN)/python -m pytest $(PYTEST_ARGS)
# Test modules run side by side, each module in one process with what it set up. Many wait for
# machines and servers, so there are more processes than processors: with one more, two processors
# had nothing to do for a fifth of the time. The longest come first, as they come by name.
# WORKERS=0: one after another.
WORKERS ?= $(shell n=$$(nproc); echo $$((n < 6 ? n + 2 : 8)))
BESIDE := -n $(WORKERS) --dist loadfile --no-loadscope-reorder

.PHONY: help
help: ## Say what there is
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

.PHONY: install
install: $(STAMP) ## Install what is missing: system packages, .venv, this project
	@deploy/install-system.sh

$(STAMP): requirements-test.lock pyproject.toml
	deploy/install-system.sh
	python3 -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-test.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $(STAMP)

.PHONY: demo
demo: install ## Show the whole product at work on this machine, in under two minutes
	$(BIN)/remuda demo

# On a machine with nothing else to do: the picture tells how long everything took.
.PHONY: picture
picture: install ## Draw the demo's picture anew, from a run of it
	$(BIN)/remuda demo | $(BIN)/python -m tests.support.picture docs/images/demo.svg

.PHONY: lint
lint: install ## Style and types
	@status=0; \
	$(BIN)/ruff check --output-format concise . || status=$$?; \
	$(BIN)/ruff format --check --quiet . || status=$$?; \
	$(BIN)/mypy || status=$$?; \
	exit $$status

# The tests run even when lint failed, so that one run tells everything; their summary comes last.
.PHONY: promtool
promtool: install
	@deploy/fetch-promtool.sh $(BIN)

.PHONY: test
test: install promtool ## Lint, coverage of what decides, then all tests but the long ones (25 minutes on 2 cores)
	@status=0; \
	$(MAKE) --no-print-directory lint || status=$$?; \
	$(MAKE) --no-print-directory coverage || status=$$?; \
	$(PYTEST) $(BESIDE) || status=$$?; \
	exit $$status

.PHONY: unit
unit: install ## Only the fast tests: no ZooKeeper, no processes
	$(PYTEST) $(BESIDE) tests/unit tests/test_tidy.py tests/test_architecture.py

COVERAGE := $(BIN)/python -m coverage
SPACE := $() $()
ifdef ALL
SOURCES := launcher,builder,remuda,requestor
PARTS := all
# Some watch the clock, and being traced they take several times as long.
EXERCISE_all := tests/unit tests/contract --timeout=900
REPORT :=
else
SOURCES := launcher,builder,remuda/images
# The tests that name what decides, or what makes worlds for it. What drawn examples and a
# simulation's seeds happen to reach is chance, and takes minutes: it does not count.
NAMES_IT := decide|worlds|judging|images import|images\.(canary|moves|references|revoking)
# What decides has one of these names, at the root or in its noun's folder.
BUILDER := actions capturing commanding decide due failing fresh lifecycle moving numbering offline \
	outcome placing policy proving retire same starting sweep using view
LAUNCHER := actions address addressing admitting allocate asking autoholding bids binding birth \
	blame budget capturing changing counting deadlines decide demand demand_pass describing deserving \
	dying end extending first_use gathering granting holding keeping letting_in lifecycle limits \
	make_room orders outdated overdue overtaking patience periodic probing progress proof \
	publishing reopening scale_down scale_up shares shortage state status steps storing \
	sweep taken takeover taking telling using verdicts visiting
either = ($(subst $(SPACE),|,$(1)))
all_of = $(subst $(SPACE),,$(2:%=$(1)/%.py,) $(2:%=$(1)/*/%.py,))
NAMES_JUDGED := builder\.(\w+(\.| import ))?$(call either,$(BUILDER))|$\
	launcher\.\w+(\.| import )$(call either,$(LAUNCHER))
PARTS := launcher others
# None at all would mean all tests to pytest.
naming_it = -m 'not hypothesis and not slow' --ignore=tests/unit/builder/test_workshop.py \
	$(or $(shell grep -lE '$(NAMES_IT)|$(NAMES_JUDGED)' $1),$(error no test of $1 names what decides))
EXERCISE_launcher = $(call naming_it,tests/unit/launcher/test_*.py)
EXERCISE_others = $(call naming_it,tests/unit/builder/test_*.py tests/unit/images/test_*.py)
REPORT := --fail-under=100 --include=$(call all_of,launcher,$(LAUNCHER))$\
	$(call all_of,builder,$(BUILDER))$\
	remuda/images/canary.py,remuda/images/moves.py,remuda/images/references.py,remuda/images/revoking.py
endif

# Without ALL under a minute, and 100 % or it fails; with it a quarter of an hour, and the floor is
# that of pyproject.toml. Of tests that pass nothing is shown.
.PHONY: coverage
coverage: install ## All lines and branches of what decides are tested (ALL=1: a floor for the rest)
	@rm -f .coverage .coverage.*
	@$(MAKE) --no-print-directory -j $(words $(PARTS)) $(PARTS:%=exercise-%)
	@$(COVERAGE) combine --quiet
	@$(COVERAGE) report $(REPORT)

# Both parts at once: a traced run keeps one processor busy, and no more.
.PHONY: $(PARTS:%=exercise-%)
$(PARTS:%=exercise-%): exercise-%: install
	@told=$$($(COVERAGE) run --data-file=.coverage.$* --source=$(SOURCES) \
	    -m pytest -q -p no:cacheprovider $(EXERCISE_$*) 2>&1) || { echo "$$told"; exit 1; }

.PHONY: simulation
simulation: install ## The seeded simulation, many seeds (SEEDS=1000 START=0; SEED=7: one, told in full)
	$(BIN)/python -m tests.simulation \
	    $(if $(SEED),--seed $(SEED),--seeds $(or $(SEEDS),300) --start $(or $(START),0))

.PHONY: chaos
chaos: install ## Kill and freeze real processes, and judge what comes of it (ROUNDS=3 MINUTES=2 SEED=1)
	@first=$(or $(SEED),1); last=$$((first + $(or $(ROUNDS),3) - 1)); \
	for seed in $$(seq $$first $$last); do \
	    echo "chaos with SEED=$$seed"; \
	    REMUDA_CHAOS_MINUTES=$(or $(MINUTES),2) REMUDA_SEED=$$seed $(PYTEST) -m chaos; \
	done

.PHONY: crashes
crashes: install ## End builders at every moment, in every way (minutes; `make test` has all of one way)
	$(BIN)/python -m tests.unit.builder.crashes

.PHONY: bench
bench: install ## Measure against the raw chain of ZooKeeper operations
	$(BIN)/python -m tests.bench

.PHONY: bench-images
bench-images: install ## Measure builds, swaps, roll-backs and copies of images (a quarter of an hour)
	$(BIN)/python -m tests.bench --images --json build/bench-images.json

LAB := $(BIN)/python -m tests.openstack.lab

.PHONY: openstack-lab
openstack-lab: install ## Start a real OpenStack on the loopback, and say how to talk to it
	@$(LAB) start

.PHONY: openstack-lab-stop
openstack-lab-stop: ## Stop it
	@$(LAB) stop

# Where the lab cannot run, the tests say why and skip; where it does not start, that is said once;
# whatever they say, it is stopped again.
.PHONY: test-openstack
test-openstack: install ## Contract of clouds, whole installations on a real OpenStack (LONG=1: all of them)
	@status=0; up=0; \
	if $(LAB) check; then $(LAB) start && up=1 || status=$$?; fi; \
	if [ $$status = 0 ]; then \
	    REMUDA_OPENSTACK=1 $(PYTEST) --timeout=300 --session-timeout=$(if $(LONG),4500,2700) \
	        -m 'openstack$(if $(LONG),, and not slow)' \
	        tests/contract/cloud tests/openstack || status=$$?; \
	fi; \
	if [ $$up = 1 ]; then $(LAB) stop || status=$$?; fi; \
	exit $$status

.PHONY: bench-openstack
bench-openstack: install ## API calls per node and boots per minute on a real OpenStack
	@$(LAB) start
	@status=0; $(BIN)/python -m tests.openstack.bench || status=$$?; $(LAB) stop; exit $$status

# debootstrap makes the root once; apt-get and pip then do in it what the page says.
BARE := build/operations/bare
.PHONY: test-operations
test-operations: install promtool ## Carry docs/operations.md out in a bare Debian, packages included (root, many minutes)
	@deploy/bare-root.sh $(BARE)
	REMUDA_OPERATIONS_BARE=$(CURDIR)/$(BARE) $(PYTEST) -p no:cacheprovider tests/e2e/test_operations.py

# Document and the module that writes it; a test of each compares.
GENERATED := configuration:remuda.config.reference metrics:remuda.metrics.reference \
	states:remuda.model.diagrams

.PHONY: docs
docs: install ## Write the generated documents anew
	@for one in $(GENERATED); do \
	    echo "docs/$${one%%:*}.md"; \
	    $(BIN)/python -m "$${one#*:}" > .venv/document; \
	    mv .venv/document "docs/$${one%%:*}.md"; \
	done

.PHONY: lock
lock: ## Take the newest allowed versions of what we build on
	deploy/lock.sh

# Its findings change without us, so it is no part of the tests; run it before a release.
.PHONY: audit
audit: ## Look for known vulnerabilities in what the locks name (asks a service on the Internet)
	python3 -m venv .venv-audit
	.venv-audit/bin/pip install --quiet --disable-pip-version-check 'pip-audit>=2.7,<3'
	@for lock in requirements.lock requirements-test.lock; do \
	    echo "$$lock"; .venv-audit/bin/pip-audit --strict --require-hashes --disable-pip -r "$$lock"; \
	done

.PHONY: clean
clean: ## Remove what the above made
	@if [ -e build/openstack/state/run ]; then $(LAB) stop; fi
	rm -rf .venv .venv-audit build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

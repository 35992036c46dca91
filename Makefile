# Every target sets up what it needs; what is done already is skipped.
#   make demo   make quick   make test   make explore   make pins
#   make lab   make labs   make notebooks   make benchmark   make site   make gpu

PYTHON ?= python3
BIN := .venv/bin
INSTALL := --constraint constraints.txt --editable .[course,dev]
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: setup sandbox model demo quick test explore pins labs lab notebooks benchmark site gpu
setup: .venv/ready

.venv/ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit("Python 3.11 to 3.14 (not 3.14.1) is needed, this is " + sys.version.split()[0] + ": make PYTHON=python3.12" if not (3, 11) <= v[:2] <= (3, 14) or v[:3] == (3, 14, 1) else 0)'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt pip
	PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet $(INSTALL)
	@mkdir -p .venv/etc/ipython && cp labsupport/jupyter/ipython_kernel_config.json .venv/etc/ipython/
	@touch $@

# Submissions run in bubblewrap. As root on Debian it is installed; elsewhere its name is said.
sandbox:
	@command -v bwrap >/dev/null || { \
	  test "$$(id -u)" = 0 && command -v apt-get >/dev/null && apt-get update -qq && apt-get install -qq -y bubblewrap >/dev/null; } \
	|| { echo "Grading needs bubblewrap: install your system's package 'bubblewrap'." >&2; exit 1; }

model: setup
	@$(BIN)/python -m labsupport fetch

demo: setup sandbox model
	@$(BIN)/python -m grader demo

ALONE := alone or model or notebook or browser

# The linter, the types, and the tests of a moment that need no sandbox, no model and no browser. Types are
# looked at meanwhile: one core would be idle.
quick: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python & types=$$!; \
	  $(BIN)/python -m pytest -n 2 -m "not (sandbox or $(ALONE) or thorough or slow or lengthy)"; tests=$$?; \
	  wait $$types && exit $$tests

test: setup sandbox model
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m pytest -n 2 -m "not (sandbox or $(ALONE) or thorough or slow)"
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "sandbox and not (thorough or slow)"
	$(BIN)/python -m pytest -m "($(ALONE)) and not (thorough or slow)"

# The properties again, on thousands of examples that no run has drawn before: what fails here is a find.
explore: setup
	$(BIN)/python -m pytest -n 2 -m hypothesis --hypothesis-profile=explore
	$(BIN)/python -m pytest -m rare

# Every lab, answers in place, on the real model.
labs: setup model
	$(BIN)/python -m pytest -m notebook

# Where there is a GPU: all that tests elsewhere do on its stand-in, for real, and every verdict against the CPU's;
# then what it reaches on TinyLlama's shape.
gpu: setup sandbox model
	@if $(BIN)/python -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; \
	  then $(BIN)/python -m pytest -m gpu && \
	    $(BIN)/python -m benchmarks perplexity pruning card peers --file build/benchmarks/on-a-gpu.md; \
	  else echo "There is no CUDA device here, so nothing runs on one; make test runs the same tests on a stand-in."; fi

lab: setup model notebooks
	@JUPYTER_CONFIG_PATH=$(CURDIR)/labsupport/jupyter $(BIN)/jupyter lab --notebook-dir notebooks

notebooks: setup
	@$(BIN)/python -m grader build

# What builds the site; only `make site` and .ci/run install it.
.venv/site: .venv/ready
	PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .[site]
	@touch $@

# Every lab as a walkthrough, executed on the real model: a quarter of an hour, the second time seconds.
site: setup model .venv/site
	@$(BIN)/python site/build.py

# axe-core, which looks for what keeps people from reading a page; only .ci/run installs it.
.venv/axe: .venv/ready
	npm install --silent --no-audit --no-fund --prefix $@ axe-core@4.14.1
	@touch $@

# An engine that runs lab 11's files; the course does without, and .ci/run installs it.
.venv/engine: .venv/ready
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .[engine]
	@touch $@

# What tests of a JupyterHub need; only .ci/run installs it.
.venv/hub: .venv/ready
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .[hub]
	@touch $@

# Every ratio against its baseline, more than an hour; into benchmarks/RESULTS.md.
benchmark: setup sandbox model
	@$(BIN)/python -m benchmarks

# constraints.txt resolved for each Python and system, metadata alone; wheels for all but those that are only
# sources.
PYTHONS := 3.11.0 3.12.0 3.13.0 3.14.0
SYSTEMS := x86_64-manylinux_2_31 aarch64-manylinux_2_35 aarch64-apple-darwin x86_64-pc-windows-msvc
SOURCES := rouge-score sqlitedict word2number
pins: setup
	@for system in $(SYSTEMS); do for version in $(PYTHONS); do echo $$system $$version; done; done | \
	xargs -P 8 -n 2 sh -c 'MACOSX_DEPLOYMENT_TARGET=14.0 $(BIN)/uv pip compile --quiet --python-platform $$0 \
	  --python-version $$1 --constraint constraints.txt --all-extras --only-binary :all: \
	  $(SOURCES:%=--no-binary %) pyproject.toml >/dev/null && \
	  echo "Every pin can be had for Python $$1 on $$0."'

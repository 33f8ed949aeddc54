# Every command that CI runs stands here, as a person types it. The environments make themselves.

PYTHON ?= python3
BIN := .venv/bin
ORACLE := .venv-oracle/bin
ORACLE5 := .venv-oracle5/bin
FRAMEWORKS := torch tensorflow flax
KERNELS := hatch_build.py $(wildcard src/albertkit/kernels/*.cpp src/albertkit/kernels/*.h)
PIP := install --quiet --disable-pip-version-check --constraint requirements/constraints.txt

.PHONY: demo train-demo test lint unit ray browser chromium pictures oracle oracle-frameworks frameworks floors structure fuzz results format clean

demo: $(BIN)/ready  ## answers by the models that come with the package; then a small model for every task is trained and asked
	$(BIN)/python examples/demo.py
	$(BIN)/python examples/train.py

train-demo: $(BIN)/ready  ## fine-tune a small model for every task on the examples, evaluate it and let it answer
	$(BIN)/python examples/train.py

test: lint unit  ## all that must hold
	$(MAKE) --jobs 2 --output-sync ray browser  # both wait most of their time
	$(MAKE) oracle

lint: $(BIN)/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/clang-format --dry-run --Werror src/albertkit/kernels/*.cpp src/albertkit/kernels/*.h
	$(BIN)/codespell src tests docs examples benchmarks README.md CONTRIBUTING.md CHANGELOG.md
	$(BIN)/lint-imports --no-logo
	$(BIN)/pyright --pythonpath $(BIN)/python

unit: $(BIN)/ready
	$(BIN)/python -m pytest -n auto --dist worksteal -m "not oracle and not ray" --ignore tests/browser

ray: $(BIN)/ready  ## the same work on a cluster of this machine
	$(BIN)/python -m pytest -m ray tests/distributed

browser: $(BIN)/browser-ready chromium  ## the server's page in a browser, and what axe finds in it
	$(BIN)/python -m pytest -m browser tests/browser

# With ALBERTKIT_BROWSER=required, as CI has it, a missing browser is a failure; else these tests are skipped and say so.
chromium:  ## the browser, from the system's packages where apt has them
	requirements/chromium.sh

pictures: $(BIN)/browser-ready chromium train-demo  ## docs/images from the page, which the models of the demo answer
	$(BIN)/python docs/make_pictures.py

oracle: $(ORACLE)/ready $(ORACLE5)/ready  ## parity with Transformers 4, and checkpoints exchanged with Transformers 5
	$(ORACLE)/python -m pytest -n auto --dist worksteal -m oracle -W default tests/oracle
	$(ORACLE5)/python -m pytest -m oracle -W default tests/oracle/test_checkpoint_exchange.py

oracle-frameworks: .venv-oracle-tensorflow/bin/ready .venv-oracle-flax/bin/ready  ## its TensorFlow and Flax classes
	.venv-oracle-tensorflow/bin/python -m pytest -m oracle -W ignore tests/oracle/test_migration_tensorflow.py
	.venv-oracle-flax/bin/python -m pytest -m oracle -W ignore tests/oracle/test_migration_flax.py

frameworks: $(FRAMEWORKS:%=.venv-%/bin/ready)  ## each framework works where nothing but its own extra is installed
	for framework in $(FRAMEWORKS); do .venv-$$framework/bin/python tests/framework_alone.py $$framework || exit 1; done

floors: $(FRAMEWORKS:%=.venv-floors-%/bin/ready)  ## the lowest versions that pyproject.toml allows hold
	for framework in $(FRAMEWORKS); do .venv-floors-$$framework/bin/python tests/floors.py $$framework || exit 1; done

structure:  ## sizes of files and functions, import cycles, docstrings, how much is untyped
	$(PYTHON) benchmarks/structure.py

fuzz: $(BIN)/ready  ## damaged files, random texts, killed saves, bad requests: the whole of what the tests try a part of
	$(BIN)/python benchmarks/fuzz.py
	$(BIN)/python benchmarks/serving_faults.py

results:  ## docs/results.md from the kept figures
	$(PYTHON) benchmarks/results_page.py

format: $(BIN)/ready
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/clang-format -i src/albertkit/kernels/*.cpp src/albertkit/kernels/*.h

# PyTorch comes first and alone: pulled in by another package it would come with CUDA.
$(BIN)/ready: pyproject.toml requirements/constraints.txt $(KERNELS)
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip $(PIP) torch
	$(BIN)/python -m pip $(PIP) --editable ".[dev]"
	touch $@

$(BIN)/browser-ready: $(BIN)/ready requirements/browser.txt
	$(BIN)/python -m pip $(PIP) --requirement requirements/browser.txt
	touch $@

$(ORACLE)/ready: requirements/oracle.txt
	$(PYTHON) -m venv .venv-oracle
	$(ORACLE)/python -m pip $(PIP) torch
	$(ORACLE)/python -m pip $(PIP) --requirement requirements/oracle.txt
	$(ORACLE)/python -m pip $(PIP) --no-deps --editable .
	touch $@

$(ORACLE5)/ready: requirements/oracle5.txt
	$(PYTHON) -m venv .venv-oracle5
	$(ORACLE5)/python -m pip $(PIP) torch
	$(ORACLE5)/python -m pip $(PIP) --requirement requirements/oracle5.txt
	$(ORACLE5)/python -m pip $(PIP) --no-deps --editable .
	touch $@

.venv-engine-peers/bin/ready: requirements/engine_peers.txt
	$(PYTHON) -m venv .venv-engine-peers
	.venv-engine-peers/bin/python -m pip install --quiet torch==2.13.0
	.venv-engine-peers/bin/python -m pip install --quiet --requirement requirements/engine_peers.txt
	touch $@

.venv-oracle-tensorflow/bin/ready .venv-oracle-flax/bin/ready: .venv-oracle-%/bin/ready: requirements/oracle-%.txt
	$(PYTHON) -m venv .venv-oracle-$*
	.venv-oracle-$*/bin/python -m pip $(PIP) torch
	.venv-oracle-$*/bin/python -m pip $(PIP) --requirement requirements/oracle-$*.txt hypothesis
	.venv-oracle-$*/bin/python -m pip $(PIP) --no-deps --editable .
	touch $@

.venv-torch/bin/ready: pyproject.toml requirements/constraints.txt $(KERNELS)
	$(PYTHON) -m venv .venv-torch
	.venv-torch/bin/python -m pip $(PIP) torch
	.venv-torch/bin/python -m pip $(PIP) --editable ".[torch]"
	touch $@

.venv-tensorflow/bin/ready .venv-flax/bin/ready: .venv-%/bin/ready: pyproject.toml $(KERNELS)
	$(PYTHON) -m venv .venv-$*
	.venv-$*/bin/python -m pip $(PIP) --editable ".[$*]"
	touch $@

# uv takes the lowest version of what pyproject.toml names; PyTorch is what pip has put there.
UV = .venv-floors-$*/bin/uv pip install --quiet --python .venv-floors-$*/bin/python --only-binary :all:
.venv-floors-torch/bin/ready .venv-floors-tensorflow/bin/ready .venv-floors-flax/bin/ready: .venv-floors-%/bin/ready: \
		pyproject.toml requirements/constraints.txt
	rm -rf .venv-floors-$*
	$(PYTHON) -m venv .venv-floors-$*
	.venv-floors-$*/bin/python -m pip $(PIP) uv $(filter torch,$*)
	$(UV) --resolution lowest-direct --override requirements/constraints.txt \
		--requirement pyproject.toml --extra $* --extra train --extra legacy
	$(UV) pytest hypothesis psutil
	.venv-floors-$*/bin/python -m pip $(PIP) --no-deps --editable .
	touch $@

clean:
	rm -rf .venv .venv-* demo

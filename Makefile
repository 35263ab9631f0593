# Everything runs in .venv; nothing is cached outside this folder.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
BUILD_TOOLS := "setuptools>=77" wheel "Cython>=3.0" "pybind11>=2.12" "numpy>=1.26"

.PHONY: demo test check quick bench fuzz check-arm test-arm wheels mca-arm estimate-arm clean

demo: $(VENV)/demo.stamp  ## convert, inspect, run and compare the digits models
	$(BIN)/python examples/digits/demo.py

test: $(VENV)/test.stamp  ## environment, build, every check and test
	$(BIN)/python -m pytest tests

check: $(VENV)/test.stamp  ## format, lint, types and house rules only
	$(BIN)/python -m pytest tests/rules

bench: $(VENV)/test.stamp  ## all suites in rounds -> benchmarks/results/<cpu>-<date>.json
	$(BIN)/python -m linnet.benchmarks.rounds $(if $(BASE),--base $(BASE)) $(BENCH)

fuzz: $(VENV)/test.stamp  ## 20,000 mutated model files, in child processes with limits
	$(BIN)/python tests/attacks/mutants.py --count 20000

check-arm:  ## compile the kernels for aarch64 and armhf, make nothing
	PYTHON=$(PYTHON) tools/arm/check.sh

test-arm: $(VENV)/test.stamp  ## kernels, ops and golden bytes as Raspberry Pi 3, 4, 5, max, armhf
	PYTHON=$(CURDIR)/$(BIN)/python tools/arm/test.sh

wheels: $(VENV)/test.stamp  ## release wheels for x86_64, aarch64 and armv7l in dist
	$(BIN)/pip install -q --disable-pip-version-check auditwheel
	PYTHON=$(CURDIR)/$(BIN)/python tools/arm/wheels.sh

mca-arm:  ## cycles of the Arm kernels' inner loops by llvm-mca; after test-arm
	$(PYTHON) tools/arm/mca.py

estimate-arm: $(VENV)/test.stamp  ## estimated time as Raspberry Pi 3, 4, 5 beside LiteRT's
	PYTHON=$(CURDIR)/$(BIN)/python tools/arm/estimate.sh

SOURCES := $(shell find runtime kernels converters benchmarks -name '*.py' -o -name '*.pyx' \
	-o -name '*.cpp' -o -name '*.h' -o -name '*.inc' -o -name '*.pyi' -o -name '*.md')

$(VENV)/tools.stamp:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q --disable-pip-version-check --upgrade pip
	$(BIN)/pip install -q --disable-pip-version-check $(BUILD_TOOLS)
	touch $@

INSTALL := $(BIN)/pip install -q --disable-pip-version-check --no-build-isolation

$(VENV)/demo.stamp: $(VENV)/tools.stamp setup.py pyproject.toml $(SOURCES)
	$(INSTALL) ".[onnx]" onnxruntime
	touch $@

$(VENV)/test.stamp: $(VENV)/tools.stamp setup.py pyproject.toml $(SOURCES)
	$(INSTALL) ".[dev]"
	touch $@

clean:
	rm -rf $(VENV) build dist

# `make demo` and `make test` need nothing but Python 3.11 or newer; they work in .venv, and what
# needs torch and compressai (which holds NumPy below 2) in .venv-train.
PYTHON ?= python3
BIN := .venv/bin
TRAIN := .venv-train/bin
# What is skipped without torch, compressai or matplotlib.
NEURAL := tests/test_neural.py tests/test_learning.py tests/test_eval.py tests/test_vectors.py \
    tests/test_access.py tests/test_elements.py tests/test_readers.py tests/test_dumps.py \
    tests/test_verify.py tests/test_guide.py

.PHONY: demo test test-train lint kaitai clean

.venv/demo: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check .
	touch $@

.venv/test: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "pip>=25.1"
	$(BIN)/python -m pip install --quiet --group dev --editable .
	touch $@

.venv-train/test: pyproject.toml
	$(PYTHON) -m venv .venv-train
	$(TRAIN)/python -m pip install --quiet --disable-pip-version-check "pip>=25.1"
	$(TRAIN)/python -m pip install --quiet --group test --editable ".[train,eval]"
	touch $@

demo: .venv/demo
	$(BIN)/python tests/digits/demo.py

test: .venv/test lint
	$(BIN)/python -m pytest
	$(MAKE) test-train

test-train: .venv-train/test
	$(TRAIN)/python -m pytest $(NEURAL)

lint: .venv/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The parser of tests/generated from bitstream_spec/featcodec.ksy; needs Node.js and npm.
kaitai:
	npm install --silent --prefix build/kaitai kaitai-struct-compiler@0.11.0 js-yaml@4
	NODE_PATH=build/kaitai/node_modules node tests/generated/generate.js

clean:
	rm -rf .venv .venv-train build dist

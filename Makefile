# `make demo` and `make test` need nothing but Python 3.11 or newer. Tests run in two environments:
# all in .venv, with the newest Python that is found and the newest NumPy; and in .venv-lowest, with
# the lowest Python and NumPy, those of the format's bytes and what torch and compressai are for.
PYTHON ?= $(call runs,3.14 3.13 3.12 3.11)
LOWEST ?= $(call runs,3.11 3.12) # for which there is a NumPy 1.26
BIN := .venv/bin
LOWEST_BIN := .venv-lowest/bin
# The first python3.X that runs; one may be on the path and refuse to.
runs = $(firstword $(foreach v,$(1),$(shell python$(v) -c "print('python$(v)')" 2>/dev/null)) python3)

# What is skipped without torch, compressai, matplotlib or Ray; and the bytes of the format.
IN_BOTH := $(addprefix tests/test_,$(addsuffix .py,neural learning eval guide making_vectors vectors \
    access elements page readers dumps exact loaders engines ray recommended))
IN_BOTH += $(addprefix tests/test_,verify.py::test_what_a_network_codes_passes \
    writing.py::test_a_model_is_recorded_as_it_runs task.py::test_heads_count_as_their_weights_say \
    task.py::test_several_heads_share_a_profile message.py::test_tensors_of_torch_are_coded_like_arrays \
    suggest.py::test_the_quality_of_a_task_keeps_it_and_the_next_lower_tried_does_not)
IN_BOTH += tests/test_inputs.py tests/test_python_door.py
# What an encoder makes of the vectors, of which those with a network alone need that environment.
NOT_IN_BOTH := tests/test_making_vectors.py::test_what_an_encoder_made
# Pages of the guide whose examples need none of that.
IN_ONE := shell layouts profiles dumps contributing format security
# A worker a core, each of one thread.
PYTEST = -m pytest --numprocesses auto --dist worksteal $(MARKED)
test test-lowest: export OMP_NUM_THREADS = 1
test test-lowest: export OPENBLAS_NUM_THREADS = 1

.PHONY: demo test test-all test-lowest lint kaitai fuzz kill soak matrix truth wheels clean

.venv/demo: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check .
	touch $@

.venv/test: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "pip>=25.1"
	$(BIN)/python -m pip install --quiet --group dev --editable .
	touch $@

.venv-lowest/test: pyproject.toml
	$(LOWEST) -m venv .venv-lowest
	$(LOWEST_BIN)/python -m pip install --quiet --disable-pip-version-check "pip>=25.1"
	$(LOWEST_BIN)/python -m pip install --quiet --group test --group lowest --editable ".[train,eval,ray]"
	touch $@

demo: .venv/demo
	$(BIN)/python tests/digits/demo.py

test: .venv/test lint
	$(BIN)/python $(PYTEST)
	$(MAKE) test-lowest

# Those marked `long`, too: twice the time.
test-all: export MARKED = -m "not slow"
test-all: test

test-lowest: .venv-lowest/test
	$(LOWEST_BIN)/python $(PYTEST) $(IN_BOTH) --deselect $(NOT_IN_BOTH) \
	    $(foreach page,$(IN_ONE),--deselect 'tests/test_guide.py::test_every_example_runs[$(page)]')

lint: .venv/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# What tests/TRUST.md tells of, for long: SEED, SECONDS (of each target, and of the soak) and KILLS
# may be given.
SEED ?= 1
SECONDS ?= 3600
KILLS ?= 5000
fuzz: .venv/test
	-$(BIN)/python -m pip install --quiet --group fuzz # without it inputs are changed blindly
	$(BIN)/python -m tests.trust.fuzz --seconds $(SECONDS) --seed $(SEED)

soak: .venv/test
	$(BIN)/python -m tests.trust.soak --seconds $(SECONDS) --seed $(SEED)

kill: .venv/test
	$(BIN)/python -m tests.trust.kill --kills $(KILLS) --seed $(SEED)
	$(BIN)/python -m tests.trust.full --times 50 --seed $(SEED)
	$(BIN)/python -m tests.trust.changes --times 100 --seed $(SEED)

# Makes environments in build/matrix. Other architectures take qemu-user-static and apt-get, networks
# .venv-lowest (`make test-lowest`).
matrix: .venv/test
	$(BIN)/python -m tests.trust.matrix --seed $(SEED)

truth: .venv/test
	$(BIN)/python -m tests.trust.truth --seed $(SEED)

wheels: .venv/test
	$(BIN)/python -m pip install --quiet --group release
	$(BIN)/python -m tests.trust.wheels

# The parser of tests/generated from bitstream_spec/featcodec.ksy; needs Node.js and npm.
kaitai:
	npm install --silent --prefix build/kaitai kaitai-struct-compiler@0.11.0 js-yaml@4
	NODE_PATH=build/kaitai/node_modules node tests/generated/generate.js

clean:
	rm -rf .venv .venv-lowest build dist

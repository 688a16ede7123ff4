# Everything a person types here works on a fresh Debian or Ubuntu with Python >= 3.11.
# `make` alone prints this list.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
# Only training uses torch. On Linux PyPI's wheel brings gigabytes of CUDA; for the CPU build name
# PyTorch's CPU index: TORCH_INDEX="--index-url ADDRESS".
TORCH       ?= torch==2.13.0
TORCH_INDEX ?=
STAMP  := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint audit peers clients format generate bench clean

help:  ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP)  ## make .venv with the service, the client, the tools and the landmark models

$(STAMP): pyproject.toml engine_clients/python/pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed, this is $$($(PYTHON) --version); set PYTHON=python3.12"; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
	  { echo "venv is missing: apt-get install python3-venv"; exit 2; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(TORCH_INDEX) "$(TORCH)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  -e engine_clients/python -e '.[dev]'
	$(BIN)/avatar models fetch
	@touch $@

demo: setup  ## the whole product on real input: writes demo/demo.mp4 and more
	$(BIN)/avatar demo --out demo

test: setup  ## all tests that this machine can run
	$(BIN)/python -m tools.run_tests -q

lint: setup  ## ruff, mypy --strict, import-linter, buf, drift of generated code
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	cd protos && ../$(BIN)/buf lint && ../$(BIN)/buf format --diff --exit-code
	$(BIN)/python tools/gen_protos.py --check
	$(BIN)/python tools/gen_ring.py --check
	$(BIN)/python -m tools.gen_a2f_protos --check
	$(BIN)/python engine_clients/native/tools/gen_tables.py --check
	$(BIN)/python engine_clients/unity/gen_meta.py --check
	$(BIN)/python engine_clients/godot/gen_ring_layout.py --check
	$(BIN)/python tools/gen_configuration.py --check
	$(BIN)/python -m tools.lock --check

audit: setup  ## ask PyPI's advisory database about the locked dependencies (needs the network)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check pip-audit
	$(BIN)/python -m tools.lock --audit

peers: setup  ## programs of others that read our exports in the tests (NVIDIA, Khronos, Blender, VRM)
	# --no-deps: NVIDIA's packages pin an old gRPC that they do not need.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps \
	  nvidia-ace==1.0.0 nvidia-audio2face-3d==1.3.0
	npm install --silent --no-fund --no-audit --prefix $(VENV)/node gltf-validator@2.0.0-dev.3.10 \
	  three@0.187.0 @pixiv/three-vrm@3.5.5 @pixiv/three-vrm-animation@3.5.5
	# Blender as a wheel, in a place of its own (it pins its own NumPy); 360 MB, for Python 3.11 only.
	# It wants libgl1 libsm6 libxi6 libxkbcommon0 libxfixes3 libxrender1 of the system.
	@if $(BIN)/python -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))'; then \
	  test -x $(VENV)/blender/bin/python || $(BIN)/python -m venv $(VENV)/blender; \
	  $(VENV)/blender/bin/python -m pip install --quiet --disable-pip-version-check bpy==5.0.1; \
	else echo "Blender's wheel is made for Python 3.11; elsewhere: apt-get install blender python3-numpy"; fi

CLIENTS ?=
clients:  ## build all engine clients: native (sanitizers, Windows), Unity, Unreal, Godot; CLIENTS="unity" one
	$(PYTHON) -m tools.clients $(CLIENTS)

format: setup  ## format Python and protos
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	cd protos && ../$(BIN)/buf format --write

generate: setup  ## regenerate the code made from protos/
	$(BIN)/python tools/gen_protos.py
	$(BIN)/python tools/gen_ring.py
	$(BIN)/python -m tools.gen_a2f_protos
	$(BIN)/python engine_clients/native/tools/gen_tables.py
	$(BIN)/python engine_clients/unity/gen_meta.py
	$(BIN)/python engine_clients/godot/gen_ring_layout.py
	$(BIN)/python tools/gen_configuration.py

bench: setup  ## frame, lips and latency of the README, measured on this machine
	$(BIN)/avatar bench render
	$(BIN)/avatar bench motion
	$(BIN)/avatar bench service

clean:  ## remove .venv and what the commands wrote
	rm -rf $(VENV) demo out .mypy_cache .ruff_cache .pytest_cache

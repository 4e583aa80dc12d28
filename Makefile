# The commands of this repository. `make help` lists them; each installs what it needs, once.

VENV := .venv
PYTHON_VENV := $(VENV)/bin/python
# Most of an install's time went into bytecode; Python writes that of what it imports by itself.
PIP_INSTALL = -m pip install --quiet --no-compile
INSTALL = $(PYTHON_VENV) $(PIP_INSTALL) -c constraints.txt
# Its code runs on protobuf 6.33 and 7, but it does itself not install beside protobuf 7.
PROTOS_VENV := .venv-protos
PROTOC = $(PROTOS_VENV)/bin/python -m grpc_tools.protoc -Iprotos
PROTOS := $(wildcard protos/wearcast/*/*.proto)
SERVICES := $(shell grep -l '^service ' $(PROTOS))
generate = $(PROTOC) --python_out=$(1) --pyi_out=$(1) $(PROTOS) && \
	$(PROTOC) --grpc_python_out=$(1) $(SERVICES)
PROTOBUF6_VENV := .venv-protobuf6
# Two processes; the tests of a file in one, as they share servers. One thread in each: those of
# torch and BLAS would wait for each other, and tests that train took three times as long.
TWO = -n 2 --dist loadfile
test nightly test-protobuf6: export OMP_NUM_THREADS = 1
# Every message of both interfaces, health, reflection and details of errors, by both ends.
SPEAKS_PROTOBUF = tests/serving/open_inference tests/serving/security/test_access.py \
	$(addprefix tests/serving/test_,bad_input.py bad_parcels.py decode_parcel.py ingest.py \
	malformed.py overload.py process.py streams.py) \
	$(addprefix tests/clients/test_,decode.py fault_stream.py labels.py monitor.py ndjson.py \
	plant_stream.py predict.py stream_alerts.py) tests/clients/edge/carriers
# The protos must not break what this commit speaks.
BASE ?= main
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup run test nightly test-protobuf6 lint protos bench bench-serving soak dist clean

help: ## List the commands
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1 - /p' Makefile

setup: $(VENV)/.lint ## Install all that the other commands need, without running anything

run: $(VENV)/.run ## Show all of it: serve the bundled models, stream a simulated bearing and plant, write out/
	$(PYTHON_VENV) -m wearcast demo --out out

test: $(VENV)/.test ## Run all tests but the slow ones
	$(PYTHON_VENV) -m pytest $(TWO)

nightly: $(VENV)/.test ## Run all tests
	$(PYTHON_VENV) -m pytest $(TWO) -m "slow or not slow" --hypothesis-profile new

test-protobuf6: $(PROTOBUF6_VENV)/.made ## Test what speaks protobuf in the built wheel on protobuf 6.33
	$(PROTOBUF6_VENV)/bin/python -m pytest $(TWO) $(SPEAKS_PROTOBUF)

lint: $(VENV)/.lint $(PROTOS_VENV)/.made ## Check style, types, borders between folders, and protos
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	$(VENV)/bin/buf lint
	@if git cat-file -e $(BASE):protos 2>/dev/null; then \
		echo "buf breaking against $(BASE)"; \
		$(VENV)/bin/buf breaking --against ".git#ref=$$(git rev-parse $(BASE))"; \
	else echo "buf breaking: $(BASE) has no protos to compare with"; fi
	@stubs=$$(mktemp -d) && trap 'rm -r "$$stubs"' EXIT && \
		$(call generate,"$$stubs") && \
		diff -r -x '*.proto' -x __init__.py -x __pycache__ "$$stubs/wearcast" protos/wearcast || \
		{ echo "the stubs are not what the protos give: make protos"; exit 1; }

protos: $(PROTOS_VENV)/.made ## Write the stubs anew
	$(call generate,protos)

bench: $(VENV)/.test ## Time importing, scoring a recording, cleaning, a rolling forecast, and INT8
	$(PYTHON_VENV) benchmarks/import_time.py
	$(PYTHON_VENV) benchmarks/predict_local.py
	$(PYTHON_VENV) benchmarks/clean.py
	$(PYTHON_VENV) benchmarks/rolling_forecast.py
	$(PYTHON_VENV) benchmarks/int8.py

bench-serving: $(VENV)/.test ## Compare the server with its peers, then follow live streams (about an hour)
	$(PYTHON_VENV) benchmarks/serving/throughput.py --write
	$(PYTHON_VENV) benchmarks/serving/live_streams.py --write
	$(PYTHON_VENV) benchmarks/serving/growth.py --write
	$(PYTHON_VENV) benchmarks/serving/reuse.py --rounds 5 --write

soak: $(VENV)/.test ## Let an edge service follow a simulated month: memory, files, nothing lost (2 minutes)
	$(PYTHON_VENV) benchmarks/soak.py --days 30 --table sqlite
	$(PYTHON_VENV) benchmarks/soak.py --days 30 --table csv

dist: $(VENV)/.test ## Build wheel and source archive into dist/
	rm -rf dist build
	$(PYTHON_VENV) -m build --no-isolation .

clean: ## Remove everything that these commands have made
	rm -rf $(VENV) $(PROTOS_VENV) $(PROTOBUF6_VENV) build dist out src/*.egg-info .hypothesis \
		.pytest_cache .mypy_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.made:
	@test -n "$(PYTHON)" || { echo "wearcast needs Python 3.11 or newer: set PYTHON=..."; exit 1; }
	@echo "making $(VENV) and installing: a few minutes, once"
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) pip
	@touch $@

$(VENV)/.run: pyproject.toml constraints.txt | $(VENV)/.made
	$(INSTALL) -e '.[serve,plot]'
	@touch $@

$(VENV)/.test: pyproject.toml constraints.txt | $(VENV)/.made
	$(INSTALL) -e '.[all]' --group test
	@touch $@ $(VENV)/.run

$(VENV)/.lint: $(VENV)/.test
	$(INSTALL) --group lint
	@touch $@

$(PROTOS_VENV)/.made: $(VENV)/.made
	$(PYTHON) -m venv $(PROTOS_VENV)
	$(PROTOS_VENV)/bin/python $(PIP_INSTALL) grpcio-tools==1.81.1
	@touch $@

# Without the lines of constraints.txt that need protobuf 7.
$(PROTOBUF6_VENV)/.made: pyproject.toml constraints.txt dist
	$(PYTHON) -m venv --clear $(PROTOBUF6_VENV)
	grep -v -E '^(protobuf|grpcio-.*)==' constraints.txt > $(PROTOBUF6_VENV)/constraints.txt
	$(PROTOBUF6_VENV)/bin/python $(PIP_INSTALL) -c $(PROTOBUF6_VENV)/constraints.txt pip
	$(PROTOBUF6_VENV)/bin/python $(PIP_INSTALL) -c $(PROTOBUF6_VENV)/constraints.txt \
		"$$(echo dist/*.whl)[serve,plot,files,mqtt,serial,opcua]" --group test 'protobuf>=6.33.5,<7'
	@touch $@

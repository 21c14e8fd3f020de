# make demo, make test: set everything up in .venv and go. Needs Python 3.11 to 3.13.

SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	$$p -c '$(SUPPORTED)' 2>/dev/null && echo $$p && break; done)
VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
VENV := .venv
# Names the version, so that another PYTHON makes another environment.
READY := $(VENV)/ready-$(VERSION)
BIN := $(VENV)/bin

.PHONY: help demo tour test test-app lint benchmark clean

help:
	@echo "make demo   enlarges photographs with the weights that ship, then fine-tunes EUSR"
	@echo "make tour   the whole road to 4PP-EUSR, likewise"
	@echo "make test   all tests"
	@echo "make test-app   the tests of app.py, with Gradio, which takes an older Pillow along"
	@echo "make lint   style and types"
	@echo "make benchmark   how fast it is on this machine, in some minutes"
	@echo "make clean  removes what the others made"

demo: $(READY)
	@$(BIN)/python misc/demo.py

tour: $(READY)
	@$(BIN)/python misc/demo.py --tour

test: $(READY)
	@$(BIN)/python -m pytest -n 2 --dist worksteal --durations=10

# Not a part of the others' set-up, which has the newest Pillow.
test-app: $(READY)
	@$(BIN)/python -m pip --disable-pip-version-check install --quiet \
	 --requirement requirements-app.txt
	@$(BIN)/python -m pytest tests/test_app.py tests/test_page.py

lint: $(READY)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

benchmark: $(READY)
	@$(BIN)/python benchmarks/speed.py --output_path=benchmark.json

clean:
	rm -rf $(VENV) demo quickstart benchmark.json .pytest_cache .ruff_cache .mypy_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): requirements.txt requirements-dev.txt requirements-export.txt \
 requirements-openvino.txt requirements-cluster.txt
	@$(PYTHON) -c '$(SUPPORTED)' 2>/dev/null || { echo "Python 3.11, 3.12 or 3.13 is\
	 needed; found: $$($(or $(PYTHON),python3) --version 2>&1). Name one: make PYTHON=/path/to/python3.12" \
	 >&2; exit 1; }
	@echo "Setting up $(VENV) with $$($(PYTHON) --version): some minutes, once."
	@ls $(READY) >/dev/null 2>&1 && $(BIN)/python -c '' || $(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip --disable-pip-version-check install --quiet \
	 --requirement requirements-dev.txt
	@touch $@

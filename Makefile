# SPDX-License-Identifier: GPL-2.0
# The front door. "make" or "make help" says what there is.

# FLAVOUR, CONFIG and so on reach the programs below through the environment,
# whether given as "make tree FLAVOUR=stock" or as "FLAVOUR=stock make tree".

PYTHON ?= python3
TOOLS := tools/testing/kunit

# The programs refuse a variable that was typed here and means nothing to them. What a
# make above this one was given is none of our business.
ifeq ($(MAKELEVEL),0)
export KUNIT_TYPED := $(strip $(foreach name,$(.VARIABLES),$(if \
	$(filter command,$(firstword $(origin $(name)))),$(name))))
endif

.DEFAULT_GOAL := help
.PHONY: help run tree check revision mutants soak matrix report arches map export lint docs bench e2e coverage check-pipelines clean

help:
	@echo 'make run     test the series: ./$(TOOLS)/kunit.py run --arch=arm64'
	@echo 'make tree    prepare a kernel tree and print its path'
	@echo 'make check   every test of this repository, the ones that CI runs'
	@echo 'make revision SERIES=DIR-or-mbox [AGAINST=DIR-or-mbox]   a verdict on each patch'
	@echo 'make mutants break the kernel in known ways; the suites must notice each'
	@echo 'make soak    random sequences of devices with fresh seeds, for SOAK_SECONDS=600'
	@echo 'make matrix  the suites over translation regimes, CPUs and debug options'
	@echo 'make report  merge what make matrix SHARD=i/n left, PARTS=DIR says where'
	@echo 'make arches  compile the series, patch by patch, for the other architectures'
	@echo 'make map     draw what a memmap is backed by, without the series and with it'
	@echo 'make export  patches/ as mails with cover letters, in build/outgoing'
	@echo 'make lint    checkpatch, W=1, sparse, clang, coccinelle and more on what goes out'
	@echo 'make docs    the pages of Documentation/ as HTML, in build/docs/html'
	@echo 'make bench   what adding and removing memory costs the kernel, beside stock'
	@echo 'make e2e     a real driver with ndctl and daxctl in a booted guest'
	@echo 'make coverage   which lines of the series run in suites and scenarios, by gcov'
	@echo 'make check-pipelines   run .gitlab-ci.yml here (needs npm)'
	@echo 'make clean   remove what was built: trees, kernels, results'
	@echo
	@echo 'Variables, as in "make run FLAVOUR=stock CONFIG=64k":'
	@echo '  FLAVOUR=series|baseline|stock|fixed|fast   the kernel tree (default: series)'
	@echo '  CONFIG=4k|16k|64k               kunitconfig fragments, joined by "-"'
	@echo '  KSRC=DIR    a kernel tree of yours, as it stands; it is not written to'
	@echo '  BASE=6.12   the linux-source package to start from; BASE=sid: the newest in a suite'
	@echo '  BUILD=DIR   where trees and kernels are made (default: build)'
	@echo '  JOBS=N      how many files to compile at a time'
	@echo '  FLAVOURS="series stock" CONFIGS="4k 64k"   for check, matrix, bench, e2e'
	@echo '  SHARD=1/4   for make matrix: this part of it'
	@echo '  ARCHES="x86_64 s390x"   for make arches: only these'
	@echo '  MAP=FILE    for make map: the picture (default: build/results/origin-map.svg)'
	@echo '  PLOTS=DIR   for make bench: pictures and table go there'
	@echo '  KERNEL_ARGS="rodata=on"         for make bench: further arguments for the kernels'
	@echo '  BARRIERS=0  for make bench: do not count barriers, which takes a boot more'
	@echo '  SCENARIOS="ram-* geometry-pair/2M,16M"   for e2e, coverage: only these'
	@echo '  MUTANTS="alloc-* free-*"        for make mutants, make e2e: only these'
	@echo '  AGAINST=DIR-or-mbox, ONTO=flavour, TIP_ONLY=1, SHORT=1   for make revision'
	@echo '  TIP_CONFIGS="4k 64k"            for make revision: the whole series with these'
	@echo
	@echo 'A failure of any of these is status 2 of make. For git bisect run, call $(TOOLS)/kunit.py.'

run:
	@$(PYTHON) $(TOOLS)/kunit.py run --arch=arm64

tree:
	@$(PYTHON) $(TOOLS)/tree.py

check:
	@$(PYTHON) $(TOOLS)/check.py

revision:
	@$(PYTHON) $(TOOLS)/revision.py

mutants:
	@$(PYTHON) $(TOOLS)/mutants.py

soak:
	@$(PYTHON) $(TOOLS)/soak.py

matrix:
	@$(PYTHON) $(TOOLS)/matrix.py

report:
	@$(PYTHON) $(TOOLS)/report.py

arches:
	@$(PYTHON) $(TOOLS)/arches.py

map:
	@$(PYTHON) $(TOOLS)/map.py

export:
	@$(PYTHON) $(TOOLS)/export.py

lint:
	@$(PYTHON) $(TOOLS)/lint_all.py

docs:
	@$(PYTHON) $(TOOLS)/docs.py

bench:
	@$(PYTHON) $(TOOLS)/bench.py

e2e:
	@$(PYTHON) $(TOOLS)/e2e.py

coverage:
	@$(PYTHON) $(TOOLS)/coverage.py

check-pipelines:
	@cd $(TOOLS) && $(PYTHON) -m tests.pipelines

clean:
	@$(PYTHON) $(TOOLS)/clean.py

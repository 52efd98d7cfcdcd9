# SPDX-License-Identifier: GPL-2.0
# "make" or "make help" lists the commands.

# Variables reach altmap through the environment: "make tree FLAVOUR=stock" equals
# "FLAVOUR=stock make tree".

# The Python that Debian's packages install their modules for.
PYTHON ?= /usr/bin/python3
TOOLS := tools/testing/kunit
COMMANDS := run check revision tree matrix report mutants soak e2e coverage \
	bench map arches lint export docs clean

# altmap refuses unknown variables on make's command line. It ignores those of a make that
# called this one.
ifeq ($(MAKELEVEL),0)
export KUNIT_TYPED := $(strip $(foreach name,$(.VARIABLES),$(if \
	$(filter command,$(firstword $(origin $(name)))),$(name))))
endif

.DEFAULT_GOAL := help
.PHONY: help check-pipelines $(COMMANDS)

help:
	@$(PYTHON) $(TOOLS)/altmap --help

$(COMMANDS):
	@$(PYTHON) $(TOOLS)/altmap $@

# Runs .gitlab-ci.yml here; needs npm.
check-pipelines:
	@cd $(TOOLS) && $(PYTHON) -m tests.world.pipelines

# SPDX-License-Identifier: GPL-2.0
# "make" or "make help" lists the commands.

# FLAVOUR, CONFIG and so on reach the program below through the environment,
# whether given as "make tree FLAVOUR=stock" or as "FLAVOUR=stock make tree".

# Debian's packages install their modules for this one.
PYTHON ?= /usr/bin/python3
TOOLS := tools/testing/kunit
COMMANDS := run check revision tree matrix report mutants soak e2e coverage \
	bench map arches lint export docs clean

# The program refuses a variable that was typed here and that it does not know. It ignores
# those that were given to a make above this one.
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

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""A front end of the kernel's kunit.py. It prepares a kernel tree first."""

import sys

from harness.base import program
from harness.kernel import frontend

if __name__ == "__main__":
    sys.exit(program.main_guard(frontend.main, sys.argv[1:]))

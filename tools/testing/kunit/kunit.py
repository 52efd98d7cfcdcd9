#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The kernel's kunit.py for this repository: prepares a kernel tree, then hands over."""

import sys

from harness.base import program
from harness.kernel import frontend

if __name__ == "__main__":
    sys.exit(program.main_guard(frontend.main, sys.argv[1:]))

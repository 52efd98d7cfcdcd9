# SPDX-License-Identifier: GPL-2.0
"""Tests that run whole programs on a kernel of a dozen files."""

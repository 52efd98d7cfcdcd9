# SPDX-License-Identifier: GPL-2.0
"""Tests that run whole programs, with a kernel of a dozen files and fake tools."""

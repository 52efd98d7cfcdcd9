# SPDX-License-Identifier: GPL-2.0
"""Tests that start no program."""

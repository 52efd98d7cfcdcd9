# SPDX-License-Identifier: GPL-2.0
"""Test a real driver with real tools, in a guest with a user space."""

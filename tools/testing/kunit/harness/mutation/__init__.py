# SPDX-License-Identifier: GPL-2.0
"""Break the kernel, and check that a test fails."""

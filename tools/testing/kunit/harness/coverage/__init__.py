# SPDX-License-Identifier: GPL-2.0
"""Which lines of a patch ran, by gcov."""

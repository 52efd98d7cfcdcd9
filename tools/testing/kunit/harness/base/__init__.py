# SPDX-License-Identifier: GPL-2.0
"""Processes, threads, locks, files and packages. Knows nothing about kernels."""

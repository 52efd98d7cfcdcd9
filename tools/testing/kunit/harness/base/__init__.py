# SPDX-License-Identifier: GPL-2.0
"""Programs, threads, locks, files and packages: knows no kernel."""

# SPDX-License-Identifier: GPL-2.0
"""A series, judged patch by patch."""

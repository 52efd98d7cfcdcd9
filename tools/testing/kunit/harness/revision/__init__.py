# SPDX-License-Identifier: GPL-2.0
"""Judge a patch series patch by patch."""

# SPDX-License-Identifier: GPL-2.0
"""The cost of adding and removing memory, in instructions."""

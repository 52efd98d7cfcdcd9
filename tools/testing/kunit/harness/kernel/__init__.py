# SPDX-License-Identifier: GPL-2.0
"""From a tree and a config to a kernel's console log."""

# SPDX-License-Identifier: GPL-2.0
"""From a tree and a config to what the kernel's console said."""

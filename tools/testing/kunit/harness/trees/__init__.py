# SPDX-License-Identifier: GPL-2.0
"""From a kernel source and patches to a git work tree."""

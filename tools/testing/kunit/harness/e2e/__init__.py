# SPDX-License-Identifier: GPL-2.0
"""A real driver with real tools, in a guest with a user space."""

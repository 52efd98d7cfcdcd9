# SPDX-License-Identifier: GPL-2.0
"""Break the kernel, see which case notices."""

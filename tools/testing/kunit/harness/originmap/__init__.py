# SPDX-License-Identifier: GPL-2.0
"""A picture of where the memmap of a device lies."""

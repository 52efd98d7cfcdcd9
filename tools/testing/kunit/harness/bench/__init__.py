# SPDX-License-Identifier: GPL-2.0
"""What adding and removing memory costs, in instructions."""

# SPDX-License-Identifier: GPL-2.0
"""Where a memmap lies, as a picture."""

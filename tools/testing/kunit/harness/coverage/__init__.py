# SPDX-License-Identifier: GPL-2.0
"""Coverage of patched lines by gcov."""

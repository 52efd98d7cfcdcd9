# SPDX-License-Identifier: GPL-2.0
"""From a console to results: who passed, who did not, and how that is written."""

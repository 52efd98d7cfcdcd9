# SPDX-License-Identifier: GPL-2.0
"""Export patches as mails."""

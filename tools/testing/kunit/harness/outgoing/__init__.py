# SPDX-License-Identifier: GPL-2.0
"""Patches as mails."""

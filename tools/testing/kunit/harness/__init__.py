# SPDX-License-Identifier: GPL-2.0
"""Test a series of kernel patches and report a verdict on it.

A room imports only from the rooms below it.
"""

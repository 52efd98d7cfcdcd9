# SPDX-License-Identifier: GPL-2.0
"""Test a series of kernel patches and report a verdict on it.

A package imports only from the packages below it: see tests/unit/test_layers.py.
"""

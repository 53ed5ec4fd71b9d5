"""Planted defects: the reference engine with one place changed, each after a defect that some engine once had."""

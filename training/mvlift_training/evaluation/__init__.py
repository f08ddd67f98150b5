"""Evaluation: one alignment rule, one set of metrics, one table for every method."""

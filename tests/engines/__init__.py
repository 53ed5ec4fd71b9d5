"""Engines for tests."""

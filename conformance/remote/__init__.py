"""Engines in a process of their own: the protocol, the child that speaks it, and the twin of the executor that asks it."""

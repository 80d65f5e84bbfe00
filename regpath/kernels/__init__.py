"""Compiled loops. They know no storage, loss or penalty by name: methods resolve by type."""

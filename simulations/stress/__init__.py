"""Federations with liars: what each defence leaves of the accuracy (docs/stress.md)."""

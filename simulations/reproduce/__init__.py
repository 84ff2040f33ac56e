"""From a suite with published numbers to a page that sets ours beside them (docs/reproduce.md)."""

"""A plugin that cannot be imported."""

raise RuntimeError("its library is of another version")

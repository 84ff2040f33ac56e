"""A long federation with everything that goes wrong, against the same one undisturbed."""

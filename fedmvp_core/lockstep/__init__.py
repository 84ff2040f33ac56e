"""Several clients of one process in lock step: their batches go through the backbone as one.

`jobs` runs them and brings their requests together; `calls` is what they ask for: a forward of the
backbone, a gradient. Everything else is each client's own and knows nothing of the others.
"""

"""A tuned model on its own: one file of prompt tensors, and what classifies pictures with them.

It needs no run folder, no pictures of the run, no Flower and no Ray.
"""

from fedmvp_core.tuned.exported import MODEL_FILE, Exported, read_export, write_export
from fedmvp_core.tuned.loading import load
from fedmvp_core.tuned.model import TunedCLIP

__all__ = ["MODEL_FILE", "Exported", "TunedCLIP", "load", "read_export", "write_export"]

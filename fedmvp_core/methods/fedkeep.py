"""FedKeep: learn the trained classes, keep the new ones. This project's own method.

Deep prompts adapt the image side to the clients' pictures, held to the frozen features as FedMVP
holds them. On the text side a memory moves the classes that were trained, and leaves others where
the frozen model has them. CAPT's adversarial consistency makes both hold under attack.
"""

from fedmvp_core.methods.method import Method
from fedmvp_core.prompting.class_memory import ClassMemoryOptions

method = Method(
    name="fedkeep",
    paper="this project's own",
    prompting="class-memory",
    objective="fedmvp-capt",
    options=ClassMemoryOptions,
)

"""FedAPT: visual prompts made of text prompts and of all clients' labels, trained on attacks.

Zhai et al., ACM Multimedia 2025 (arXiv 2509.06992); not the FedAPT of AAAI 2024. Only its idea is
public: clients attack with their own labels, and a generator that knows all labels answers. Shapes,
start and objective are this project's, see prompting/label_generator.py, so no number that comes of
it is FedAPT's published one. `attack-classes=global` lets attacks aim at all classes too.
"""

from fedmvp_core.methods.method import Method
from fedmvp_core.prompting.label_generator import LabelGeneratorOptions

method = Method(
    name="fedapt",
    paper="FedAPT (ACM MM 2025), its idea",
    prompting="label-generator",
    objective="adversarial",
    options=LabelGeneratorOptions,
    reads_attributes=False,
)

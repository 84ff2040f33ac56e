"""The sentences that CoOp and FedMVP say about each data set's classes."""

from collections.abc import Mapping

DEFAULT_TEMPLATE = "a photo of a {class}."

# Zero-shot sentences where they are not the default (Zhou et al. 2022, CoOp). FedMVP's domain sets
# have the default: a template that names the domain would tell a client of domains it never saw.
TEMPLATES: Mapping[str, str] = {
    "oxford_pets": "a photo of a {class}, a type of pet.",
    "oxford_flowers": "a photo of a {class}, a type of flower.",
    "fgvc_aircraft": "a photo of a {class}, a type of aircraft.",
    "food101": "a photo of {class}, a type of food.",
    "dtd": "{class} texture.",
    "eurosat": "a centered satellite photo of {class}.",
    "ucf101": "a photo of a person doing {class}.",
}

DEFAULT_STEM = "a photo of a {class}"

# What FedMVP writes before ", which has <attribute>", by domain ("" where there are none). EuroSAT
# has none there; CoOp's template stands in.
STEMS: Mapping[str, Mapping[str, str]] = {
    "oxford_pets": {"": "a photo of a {class}, a type of pet"},
    "oxford_flowers": {"": "a photo of a {class}, a type of flower"},
    "fgvc_aircraft": {"": "a photo of a {class}, a type of aircraft"},
    "food101": {"": "a photo of a {class}, a type of food"},
    "dtd": {"": "a photo of a {class}, a type of texture"},
    "eurosat": {"": "a centered satellite photo of {class}"},
    "ucf101": {"": "a photo of a person doing {class}"},
    "pacs": {
        "art painting": "an art painting of a {class}",
        "cartoon": "a cartoon of a {class}",
        "photo": "a photo of a {class}",
        "sketch": "a sketch of a {class}",
    },
    "officehome": {
        "art": "an art of a {class}",
        "clipart": "a clipart of a {class}",
        "product": "a product image of a {class}",
        "real world": "a realworld image of a {class}",
    },
    "vlcs": {
        "caltech": "a high quality photo of a {class}, as a standalone object",
        "labelme": "a realworld photo of the {class}",
        "pascal": "a realworld photo of a {class}",
        "sun": "a photo of a {class}, in diverse scenic environments",
    },
    "domainnet": {
        "clipart": "a clipart of a {class}",
        "infograph": "an infograph of a {class}",
        "painting": "a painting of a {class}",
        "quickdraw": "a quickdraw image of a {class}",
        "real": "a real image of a {class}",
        "sketch": "a sketch of a {class}",
    },
}


def template_of(data_set: str) -> str:
    """The zero-shot sentence, with {class}."""
    return TEMPLATES.get(data_set, DEFAULT_TEMPLATE)


def attribute_stems_of(data_set: str) -> Mapping[str, str]:
    """Domain ("" where there are none) -> the start of an attribute sentence, with {class}."""
    return STEMS.get(data_set, {"": DEFAULT_STEM})

"""The hand-written part of EmojiDomains: which subgroups it takes, and what they are called.

Class names are singular English nouns that a text encoder knows; Unicode's own subgroup names
("animal-mammal", "food-prepared") are file-cabinet labels and would cost zero-shot accuracy.
"""

GROUPS: tuple[str, ...] = (
    "animals-nature",
    "food-drink",
    "travel-places",
    "activities",
    "objects",
)

CLASS_NAMES: dict[str, str] = {
    # animals-nature
    "animal-amphibian": "amphibian",
    "animal-bird": "bird",
    "animal-bug": "insect",
    "animal-mammal": "mammal",
    "animal-marine": "sea animal",
    "animal-reptile": "reptile",
    "plant-flower": "flower",
    "plant-other": "plant",
    # food-drink
    "dishware": "piece of tableware",
    "drink": "drink",
    "food-asian": "asian dish",
    "food-fruit": "fruit",
    "food-marine": "seafood",
    "food-prepared": "meal",
    "food-sweet": "dessert",
    "food-vegetable": "vegetable",
    # travel-places
    "hotel": "hotel item",
    "place-building": "building",
    "place-geographic": "landscape",
    "place-map": "map",
    "place-other": "city sight",
    "place-religious": "place of worship",
    "sky-weather": "weather sign",
    "time": "clock",
    "transport-air": "aircraft",
    "transport-ground": "road vehicle",
    "transport-water": "boat",
    # activities
    "arts-crafts": "art supply",
    "award-medal": "medal",
    "event": "celebration",
    "game": "game",
    "sport": "piece of sports equipment",
    # objects
    "book-paper": "book",
    "clothing": "piece of clothing",
    "computer": "computer",
    "household": "household item",
    "light-video": "lamp or camera",
    "lock": "lock",
    "mail": "letter",
    "medical": "medical device",
    "money": "money",
    "music": "musical sign",
    "musical-instrument": "musical instrument",
    "office": "office supply",
    "other-object": "everyday object",
    "phone": "telephone",
    "science": "scientific instrument",
    "sound": "loudspeaker",
    "tool": "tool",
    "writing": "pen",
}

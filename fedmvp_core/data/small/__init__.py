"""Small data sets that are not in the tiny CLIP's pretraining: photographs, digits, characters."""

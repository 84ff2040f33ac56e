"""Readers of published data sets: from a folder in the layout of the papers to a Listing.

A reader is a function `reader(folder: Path) -> Listing` (data/listing.py). None opens a picture.
table.py lists all of them under the names of CoOp's configuration files, FedMVP's attribute files
and OpenFedML's protocol:

caltech101, dtd, eurosat, food101        class_folder_sets.py
oxford_pets ... fgvc_aircraft            a file each
imagenet and its four test sets          imagenet.py
pacs ... domainnet                       domain_sets.py
voc2007 ... mlrsnet                      multilabel/, a file each

What every reader takes for a picture, and what it passes over, is said in entries.py alone. A
user's own folder is gone through by tree.py and understood by layout.py.
"""

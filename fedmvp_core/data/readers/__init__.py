"""Readers of published data sets: from a folder in the layout of the papers to a Listing.

A reader is a function `reader(folder: Path) -> Listing` (data/listing.py). None opens a picture.
table.py lists all of them under the names of CoOp's configuration files, FedMVP's attribute files
and OpenFedML's protocol:

caltech101, dtd, eurosat, food101        class_folder_sets.py
oxford_pets ... fgvc_aircraft            a file each
imagenet and its four test sets          imagenet.py
pacs ... domainnet                       domain_sets.py
voc2007 ... mlrsnet                      multilabel/, a file each
"""

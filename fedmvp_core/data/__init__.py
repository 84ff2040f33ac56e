"""Data sets, splits, partitions, settings and shards.

A data set is found by its name in the entry-point group "fedmvp.datasets", as a function that loads
it with square images of `image_size` pixels a side:

    load(data: DataSection, run: RunSection, image_size: int) -> Dataset
    load(data: DataSection, run: RunSection, image_size: int, options: MyOptions) -> Dataset

The type of its parameter `options`, if it has one, is its options class (config/options.py). What a
partition and a setting are is said in their own folders.

catalogue.py    what names alone say: sentences, whether a folder is needed
readers/        folder -> Listing, without opening a picture
spellings.py    one spelling a class, refused or merged
pixels/         decoding, and the cache of decoded pixels
image_set.py    images with labels, and a Dataset of three splits
listed.py, imagefolder.py, emoji/    loaders: Listing or embedded pictures -> Dataset
settings/       Dataset -> what is trained on and what is tested on
partitions/     what is trained on -> the images of each client
shards.py, own_shard.py    one client's images and their task
"""

"""Settings: which images are trained on, and what the result is tested on.

A setting is a function, found by its name in the entry-point group "fedmvp.settings":

    rule(dataset: Dataset, data: DataSection, run: RunSection) -> Setting
    rule(dataset: Dataset, data: DataSection, run: RunSection, options: MyOptions) -> Setting

The type of its parameter `options`, if it has one, is its options class (config/options.py).

base-to-new    train on the first half of the classes; test on the clients' own classes (local), on
               all of that half (base) and on the other half (new)
msst, ssmt     several source domains and one target; one source and several targets
cross-dataset  train on one data set, test on others
few-shot       all classes, a few images of each
multi-label    all labels of images that have several
zsl, gzsl      the same with labels that training never names, ranked alone or with the others

base-to-new and few-shot may be of several data sets at once, see joint.py.
"""

from fedmvp_core.data.settings.all_classes import few_shot, multi_label
from fedmvp_core.data.settings.base_and_new import base_to_new
from fedmvp_core.data.settings.domains import msst, ssmt
from fedmvp_core.data.settings.loading import load_setting
from fedmvp_core.data.settings.setting import Evaluation, Setting, SettingRule
from fedmvp_core.data.settings.transfer import cross_dataset
from fedmvp_core.data.settings.unseen_labels import gzsl, zsl

__all__ = [
    "Evaluation",
    "Setting",
    "SettingRule",
    "base_to_new",
    "cross_dataset",
    "few_shot",
    "gzsl",
    "load_setting",
    "msst",
    "multi_label",
    "ssmt",
    "zsl",
]

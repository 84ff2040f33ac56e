"""A task: the class names, templates and attributes that images are classified against.

Its sentences are frozen text, so they are encoded once and cached.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from fedmvp_core.attributes.phrases import glue
from fedmvp_core.backbone import Backbone, FeatureCache, cached_text_features
from fedmvp_core.sentences import Spoken, check_sentences, warn_once


@dataclass(frozen=True)
class Wording:
    """How a class is spoken of: its name in sentences, and the templates of its data set."""

    name: str
    template: str
    attribute_template: str


@dataclass(frozen=True)
class Task:
    """class_names in label order; attributes: phrases of each class, all () when there are none.

    attribute_template: {class}, {attribute}, and {glue} for FedMVP's words between them.
    attribute_weight: what a class is recognised by: the mean over its attribute sentences (1, as in
    FedMVP), the plain template's sentence (0), or a mixture of the two.
    multi_label: an image may hold any number of the classes, each a yes or no of its own.
    wordings: of each class, where they are of several data sets; () where all are spoken of by
    their names in class_names, in the task's templates.
    """

    class_names: tuple[str, ...]
    attributes: tuple[tuple[str, ...], ...]
    template: str
    attribute_template: str
    attribute_weight: float = 1.0
    multi_label: bool = False
    wordings: tuple[Wording, ...] = ()

    def wording(self, label: int) -> Wording:
        """How the class of a label is spoken of."""
        if self.wordings:
            return self.wordings[label]
        return Wording(self.class_names[label], self.template, self.attribute_template)

    @property
    def spoken_names(self) -> tuple[str, ...]:
        """The name of each class as sentences say it; two data sets may share one."""
        return tuple(self.wording(label).name for label in range(len(self.class_names)))

    def class_sentences(self) -> list[str]:
        """One plain sentence a class: what zero-shot CLIP uses."""
        return [self._class_sentence(label) for label in range(len(self.class_names))]

    def _class_sentence(self, label: int) -> str:
        wording = self.wording(label)
        return wording.template.replace("{class}", wording.name)

    def attribute_sentences(self, label: int) -> list[str]:
        """The sentences of one class; its plain sentence when it has no attributes."""
        wording, phrases = self.wording(label), self.attributes[label]
        if not phrases:
            return [self._class_sentence(label)]
        return [
            _filled(
                wording.attribute_template,
                {"class": wording.name, "glue": glue(phrase), "attribute": phrase},
            )
            for phrase in phrases
        ]

    def spoken(self) -> list[Spoken]:
        """The plain sentence of every class, then their attribute sentences, class by class."""
        labels = range(len(self.class_names))
        plain = [self._spoken(label, self._class_sentence(label)) for label in labels]
        return plain + [
            self._spoken(label, sentence, phrase)
            for label in labels
            for sentence, phrase in zip(
                self.attribute_sentences(label), self.attributes[label] or (None,), strict=True
            )
        ]

    def _spoken(self, label: int, sentence: str, phrase: str | None = None) -> Spoken:
        """phrase: of an attribute sentence; None of a plain one."""
        wording = self.wording(label)
        template = wording.template if phrase is None else wording.attribute_template
        before = template.partition("{class}")[0] + "{class}"
        words = {"class": wording.name, "attribute": phrase or "", "glue": glue(phrase or "")}
        beginning = _filled(before, words)
        return Spoken(self.class_names[label], sentence, beginning)


def _filled(template: str, words: Mapping[str, str]) -> str:
    """Every placeholder at once, so that braces inside a name or phrase stay what they are."""
    return re.sub(r"\{(class|glue|attribute)\}", lambda found: words[found[1]], template)


@dataclass(frozen=True)
class EncodedTask:
    """A task's frozen text features.

    class_features: (classes, d), means of unit sentence features, not normalised again: then
        logits are the mean over sentences of the scaled cosines (FedMVP, section 3).
    zero_shot_features: (classes, d), unit features of the plain template.
    attribute_features: (attributes, d), unit; the keys and values of PromptFormer.
    attribute_names: "class: phrase" for each of them.
    """

    task: Task
    class_features: Tensor
    zero_shot_features: Tensor
    attribute_features: Tensor
    attribute_names: tuple[str, ...]


def encode_task(backbone: Backbone, task: Task, cache: FeatureCache) -> EncodedTask:
    """Encode every sentence of a task in one call, or read the features from the cache.

    Raises:
        ConfigError: the text encoder cannot tell the classes apart, see check_sentences.
    """
    per_class = [task.attribute_sentences(label) for label in range(len(task.class_names))]
    spoken = task.spoken()
    sentences = [sentence.text for sentence in spoken]
    tokens = backbone.tokenize(sentences)
    warn_once(check_sentences(backbone.tokenizer, spoken, len(per_class), tokens))
    features = cached_text_features(backbone, tokens, cache)
    zero_shot, attribute_features = features.split(
        [len(per_class), len(sentences) - len(per_class)]
    )
    groups = attribute_features.split([len(group) for group in per_class])
    names = [
        f"{name}: {phrase}"
        for name, phrases in zip(task.spoken_names, task.attributes, strict=True)
        for phrase in (phrases or (name,))
    ]
    described = torch.stack([group.mean(dim=0) for group in groups])
    return EncodedTask(
        task=task,
        class_features=torch.lerp(zero_shot, described, task.attribute_weight),
        zero_shot_features=F.normalize(zero_shot, dim=-1),
        attribute_features=attribute_features,
        attribute_names=tuple(names),
    )

"""A tuned CLIP that encodes pictures and class names, and classifies."""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

import torch
from torch import Tensor

from fedmvp_core.backbone import Backbone, FeatureCache
from fedmvp_core.backbone.transfer import move_images
from fedmvp_core.errors import ConfigError
from fedmvp_core.evaluation import EVALUATION_BATCH, FeaturesOf, features_function, in_batches
from fedmvp_core.logits import class_logits, probabilities
from fedmvp_core.prompting import Features, Prompting
from fedmvp_core.tasks import EncodedTask, encode_task
from fedmvp_core.tuned.exported import Exported, check_class_names
from fedmvp_core.tuned.pictures import Pictures, pixels_of

_TASKS_KEPT = 4  # class lists whose encoded text is kept


class TunedCLIP:
    """A frozen CLIP with the prompts of a run.

    Pictures are PIL pictures, paths, or a tensor (n, 3, height, width) of floats in [0, 1]; they
    are scaled and cut as in the run. Class names are those that were trained unless others are
    named, which may be any. What is returned lies on the CPU and has no graph.

    Attributes:
        backbone, prompting: the frozen model, and the module that holds the prompt tensors.
        exported: what the model's file says.
    """

    def __init__(
        self,
        backbone: Backbone,
        prompting: Prompting,
        exported: Exported,
        cache: FeatureCache | None = None,
    ) -> None:
        self.backbone, self.prompting, self.exported = backbone, prompting.eval(), exported
        self._cache = FeatureCache() if cache is None else cache
        self._recogniser = lru_cache(_TASKS_KEPT)(self._make_recogniser)

    def __repr__(self) -> str:
        return (
            f"TunedCLIP(method='{self.exported.method}', backbone='{self.exported.backbone.name}', "
            f"{len(self.class_names)} trained classes)"
        )

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes that the prompts were trained on."""
        return self.exported.words.names

    @property
    def known_classes(self) -> tuple[str, ...]:
        """These and the others of the run's splits, whose attributes the model has as well."""
        return self.exported.known.class_names

    @torch.no_grad()
    def encode_image(self, images: Pictures, class_names: Iterable[str] | None = None) -> Tensor:
        """Unit features, (n, d).

        class_names: matter to methods alone that make image prompts of the classes asked for.

        Raises:
            DataError, ConfigError: images or names cannot be used.
        """
        task, _ = self._asked(class_names)
        pixels = pixels_of(images, self.backbone.image_size)
        rows = [
            self.prompting.image_features(
                self.backbone, move_images(chunk, self.backbone.device), task
            ).cpu()
            for chunk in pixels.split(EVALUATION_BATCH)
        ]
        return torch.cat(rows)

    @torch.no_grad()
    def encode_classes(self, names: Iterable[str]) -> Tensor:
        """(n, d): the logits are the logit scale times image features times these.

        They are the mean of a class's unit sentence features where it has several, so not all are
        of length 1.

        Raises:
            ConfigError: the names cannot be used; or the method makes a class's feature for each
                image, or several of a class.
        """
        task, _ = self._asked(names)
        module, found = self.prompting, self.prompting.class_features(self.backbone, task)
        plain = type(module).recognise is Prompting.recognise
        if type(module).class_features_for is not Prompting.class_features_for or not plain:
            raise ConfigError(
                f"method '{self.exported.method}' has no one feature of a class that images are "
                "compared with; ask for logits or probabilities"
            )
        return found.detach().cpu()

    @torch.no_grad()
    def logits(self, images: Pictures, class_names: Iterable[str] | None = None) -> Tensor:
        """(n, classes), in the order of the names.

        Raises:
            DataError, ConfigError: images or names cannot be used.
        """
        return self._scored(images, class_names, class_logits)

    @torch.no_grad()
    def probabilities(self, images: Pictures, class_names: Iterable[str] | None = None) -> Tensor:
        """(n, classes): rows of sum 1; of a model of several labels every label's own.

        Raises:
            DataError, ConfigError: images or names cannot be used.
        """
        return self._scored(images, class_names, probabilities)

    def classify(
        self, images: Pictures, class_names: Iterable[str] | None = None
    ) -> list[tuple[str, float]]:
        """For each picture its likeliest class and that class's probability.

        Raises:
            DataError, ConfigError: images or names cannot be used.
        """
        names = self._names(class_names)
        best = self.probabilities(images, names).max(dim=-1)
        rows: Sequence[int] = best.indices.tolist()
        return [(names[r], value) for r, value in zip(rows, best.values.tolist(), strict=True)]

    def _scored(
        self,
        images: Pictures,
        class_names: Iterable[str] | None,
        score: Callable[[Features, EncodedTask, Tensor], Tensor],
    ) -> Tensor:
        task, features_of = self._asked(class_names)
        pixels = pixels_of(images, self.backbone.image_size)
        scale = self.backbone.logit_scale
        return in_batches(self.backbone, features_of, pixels, lambda f: score(f, task, scale))

    def _names(self, class_names: Iterable[str] | None) -> tuple[str, ...]:
        return self.class_names if class_names is None else check_class_names(class_names)

    def _asked(self, class_names: Iterable[str] | None) -> tuple[EncodedTask, FeaturesOf]:
        return self._recogniser(self._names(class_names))

    def _make_recogniser(self, names: tuple[str, ...]) -> tuple[EncodedTask, FeaturesOf]:
        task = self.exported.task_of(names)
        self.prompting.check_task(self.backbone, task)
        encoded = encode_task(self.backbone, task, self._cache)
        return encoded, features_function(self.backbone, self.prompting, encoded)

"""Frozen work is done once: features are kept in memory, then on disk, under a hash of inputs."""

import contextlib
import logging
import os
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from fedmvp_core.backbone.hashing import hash_tensors
from fedmvp_core.backbone.model import Backbone

_log = logging.getLogger(__name__)
_SENTENCES_AT_ONCE = 256
_ENTRY = "features"


class FeatureCache:
    """Tensors by key: from memory, else from a file, else computed.

    Returned tensors are shared between callers: do not write into them. Many processes may use one
    folder at once: a file appears whole or not at all, and the last writer wins with equal content.
    """

    def __init__(self, directory: Path | None = None) -> None:
        """Keep files in `directory`, made when first needed; None keeps features in memory only."""
        self.directory = directory
        self._memory: dict[tuple[str, str], Tensor] = {}
        self._warned = False

    def get_or_compute(
        self, key: str, compute: Callable[[], Tensor], device: torch.device | str = "cpu"
    ) -> Tensor:
        """The tensor of `key` on `device`, without a graph; `compute` runs only if none is stored.

        Args:
            key: a file name without suffix, such as a hexadecimal hash.
            compute: makes the tensor.
            device: where the result is wanted, and kept in memory.
        """
        slot = (key, str(torch.device(device)))
        if slot not in self._memory:
            stored = self._read(key)
            if stored is None:
                stored = compute().detach()
                self._write(key, stored)
            self._memory[slot] = stored.to(device)
        return self._memory[slot]

    def _path(self, directory: Path, key: str) -> Path:
        return directory / f"{key}.safetensors"

    def _read(self, key: str) -> Tensor | None:
        """The stored tensor, memory-mapped, or None if there is none that can be read."""
        if self.directory is None:
            return None
        path = self._path(self.directory, key)
        try:
            return load_file(path)[_ENTRY]
        except FileNotFoundError:
            return None
        except (OSError, SafetensorError, KeyError) as error:
            _log.info("cached features in %s cannot be read (%s): computing them", path, error)
            return None

    def _write(self, key: str, tensor: Tensor) -> None:
        """Write under a name of its own, then rename: readers never see half a file."""
        if self.directory is None or self._warned:
            return
        temporary = self.directory / f".{key}.{uuid.uuid4().hex}.tmp"
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            save_file({_ENTRY: tensor.cpu().contiguous()}, temporary)
            os.replace(temporary, self._path(self.directory, key))
        except (OSError, SafetensorError) as error:
            self._warned = True
            _log.warning(
                "features cannot be cached in %s (%s): they are kept in memory only",
                self.directory,
                error,
            )
            self._discard(temporary)

    @staticmethod
    def _discard(path: Path) -> None:
        with contextlib.suppress(OSError):  # the folder itself may be what failed
            path.unlink(missing_ok=True)


def cached_text_features(
    backbone: Backbone, sentences: Sequence[str] | Tensor, cache: FeatureCache
) -> Tensor:
    """Unit text features (n, embed_dim) of unprompted sentences; shared, do not write into them.

    sentences: or their token ids.
    """
    tokens = sentences if isinstance(sentences, Tensor) else backbone.tokenize(sentences)

    def compute() -> Tensor:
        parts = torch.split(tokens, _SENTENCES_AT_ONCE)
        return torch.cat([backbone.encode_text(part, normalize=True) for part in parts])

    with torch.no_grad():  # not inference_mode: such tensors may not enter a graph later
        return cache.get_or_compute(_key(backbone, "text", tokens), compute, backbone.device)


def cached_image_features(
    backbone: Backbone, images: Tensor, cache: FeatureCache, batch_size: int = 256
) -> Tensor:
    """Unit, unprompted image features (n, embed_dim); shared, do not write into them.

    Args:
        backbone: its weights are part of the key.
        images: (n, 3, image_size, image_size), uint8; their bytes and shape are part of the key.
        cache: where the features are kept.
        batch_size: images that are encoded at once.

    Raises:
        ValueError: images that are not uint8, or of another shape.
    """
    if images.dtype != torch.uint8:
        raise ValueError(f"images to cache are {images.dtype}; expected uint8 in [0, 255]")

    def compute() -> Tensor:
        parts = torch.split(images, batch_size)
        return torch.cat([backbone.encode_image(part, normalize=True) for part in parts])

    with torch.no_grad():
        return cache.get_or_compute(_key(backbone, "image", images), compute, backbone.device)


def _key(backbone: Backbone, kind: str, inputs: Tensor) -> str:
    """Hex hash of everything the features depend on; bfloat16 ones differ from float32 ones."""
    precision = "bf16 towers" if backbone.precision == "bf16" else backbone.precision
    label = f"{kind} {backbone.weights_hash} {precision}"
    return hash_tensors(label, [(kind, inputs)])

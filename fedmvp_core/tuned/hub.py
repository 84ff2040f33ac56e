"""Exports on the Hugging Face hub, by its own client, which open_clip brings along."""

import re
from pathlib import Path
from typing import Any

from fedmvp_core.errors import CheckpointError, ConfigError
from fedmvp_core.tuned.exported import MODEL_FILE, read_export

CARD_FILE = "README.md"
ONNX_FILE = "image_encoder.onnx"
_FILES = (MODEL_FILE, CARD_FILE, ONNX_FILE)
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


def looks_like_hub_id(text: str) -> bool:
    """Whether a text may be ORG/NAME."""
    return _HUB_ID.fullmatch(text) is not None


def _check_id(hub_id: str) -> None:
    if not looks_like_hub_id(hub_id):
        raise ConfigError(f"hub id is '{hub_id}'; allowed: ORG/NAME")


def fetch_model(hub_id: str) -> Path:
    """The model's file of an export on the hub, in the client's own cache.

    Raises:
        CheckpointError: the hub has no such export, or cannot be reached.
    """
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(hub_id, MODEL_FILE))
    except Exception as error:  # whatever the client or the network stack raises
        raise CheckpointError(_why(hub_id, error)) from error


def pull(hub_id: str, output: Path) -> Path:
    """Fetch an export into a folder, and return the folder.

    Raises:
        ConfigError: the id is none.
        CheckpointError: the hub has no such export, it is damaged, or the hub cannot be reached.
    """
    _check_id(hub_id)
    fetch_model(hub_id)  # a repository without it is refused before anything is written
    from huggingface_hub import snapshot_download

    try:
        snapshot_download(hub_id, local_dir=output, allow_patterns=list(_FILES))
    except Exception as error:
        raise CheckpointError(_why(hub_id, error)) from error
    read_export(output / MODEL_FILE)
    return output


def push(folder: Path, hub_id: str, private: bool = False, api: Any = None) -> str:
    """Put an exported folder on the hub, and return its address there.

    A repository is made if there is none; the token is the one that `hf auth login` or HF_TOKEN
    gave. api: a `huggingface_hub.HfApi` to use.

    Raises:
        ConfigError: the id is none.
        CheckpointError: the folder holds no whole export, or the hub refuses it.
    """
    _check_id(hub_id)
    read_export(folder / MODEL_FILE)
    from huggingface_hub import HfApi

    client = api or HfApi()
    try:
        address = client.create_repo(hub_id, private=private, exist_ok=True)
        client.upload_folder(
            repo_id=hub_id,
            folder_path=folder,
            allow_patterns=list(_FILES),
            commit_message="A tuned CLIP, exported by fedmvp",
        )
    except Exception as error:
        raise CheckpointError(
            f"'{folder}' cannot be put on the hub as '{hub_id}': {_first_line(error)}; a token "
            "with leave to write comes from: hf auth login"
        ) from error
    return str(address)


def _why(hub_id: str, error: Exception) -> str:
    from huggingface_hub.errors import (
        EntryNotFoundError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
    )

    if isinstance(error, LocalEntryNotFoundError):
        return (
            f"'{hub_id}' is no folder here, and the Hugging Face hub cannot be reached and none of "
            "it was fetched before; without a network give the folder of an export"
        )
    if isinstance(error, RepositoryNotFoundError):
        return f"'{hub_id}' is no folder here, and no repository on the hub that you may read"
    if isinstance(error, EntryNotFoundError):
        return f"'{hub_id}' on the hub is no fedmvp export: it has no {MODEL_FILE}"
    return f"'{hub_id}' cannot be fetched from the hub: {_first_line(error)}"


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"

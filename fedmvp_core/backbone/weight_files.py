"""One file of weights: what it is by its first bytes, whatever its name says, and what it holds."""

import json
import mmap
import pickletools
import re
import tarfile
import warnings
import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.serialization import safe_globals

from fedmvp_core.errors import CheckpointError

_HEAD = 512  # bytes that tell what a file is
_SHORT = 4096  # bytes; weights are never so few, a server's answer in place of them is
_LARGEST_HEADER = 100_000_000  # bytes, of safetensors
_LARGEST_PACKED = 100_000_000  # bytes, of what is packed in an archive: code, never tensors

_ARCHIVES = {
    b"\x1f\x8b": "a gzip archive",
    b"BZh": "a bzip2 archive",
    b"\xfd7zXZ\x00": "an xz archive",
    b"\x28\xb5\x2f\xfd": "a Zstandard archive",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"Rar!": "a RAR archive",
}
_OTHER_LIBRARIES = {
    b"\x89HDF": "an HDF5 file, as Keras and TensorFlow write it",
    b"\x93NUMPY": "a NumPy array",
    b"GGUF": "a GGUF file of llama.cpp",
}
_PAGE = re.compile(rb"\s*<(!doctype|html|head|\?xml)", re.IGNORECASE)
_NUMBERS = re.compile(r"/(data|constants)/[^/]+$")  # members of a TorchScript archive
_REFUSED_GLOBAL = re.compile(r"GLOBAL (\S+) (?:was not|whose)")

# What training programs keep beside the weights. Pickles name the code that would remake it; here
# something empty stands in its place, so that none of that code is run.
_KEPT_BESIDE = (
    "argparse.Namespace",
    "numpy.dtype",
    "numpy.ndarray",
    "numpy.core.multiarray.scalar",
    "numpy.core.multiarray._reconstruct",
    "numpy._core.multiarray.scalar",
    "numpy._core.multiarray._reconstruct",
    "_codecs.encode",
)


class _LeftOut:
    """In place of an object in a pickle that is no tensor; its class goes by the object's name."""

    def __init__(self, *args: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass


_STAND_INS: list[Any] = [(type(name, (_LeftOut,), {}), name) for name in _KEPT_BESIDE]


def read_weight_file(path: Path) -> tuple[Any, str | None]:
    """The content, and of a TorchScript archive its code ("" when it has none), else None.

    Tensors are memory-mapped where the format allows it. Pickles are read without running code.

    Raises:
        CheckpointError: the file is missing, damaged, or no weights; it says what it is instead.
    """
    try:
        if not path.is_file():
            raise CheckpointError(f"the checkpoint {path} does not exist or is no file{_in(path)}.")
        with path.open("rb") as file:
            head = file.read(_HEAD)
        what = _something_else(path, head)
        if what:
            raise CheckpointError(f"the checkpoint {path} cannot be read: it is {what}.")
        return _content(path, head)
    except (CheckpointError, PermissionError) as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(f"the checkpoint {path} cannot be read: {error.strerror}.") from error
    except Exception as error:  # a damaged pickle can raise anything at all
        raise CheckpointError(_damage(path, error)) from error


def _content(path: Path, head: bytes) -> tuple[Any, str | None]:
    if _is_safetensors(head):
        return load_file(path), None
    if not zipfile.is_zipfile(path):
        return _bare_pickle(path), None
    with zipfile.ZipFile(path) as file:
        _check_members(file)
        names = file.namelist()
        if not any(name.endswith("/constants.pkl") for name in names):
            return _unpickled(path, mmap=True), None
        code = [file.read(name) for name in names if "/code/" in name and name.endswith(".py")]
        numbers = [m.file_size for m in file.infolist() if _NUMBERS.search(m.filename)]
    with warnings.catch_warnings():  # torch.jit is deprecated, OpenAI's files are not
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", FutureWarning)
        load: Any = torch.jit.load
        state = load(str(path), map_location="cpu").state_dict()
    _check_storages(state, numbers)
    return state, b"\n".join(code).decode("utf-8", "replace")


def _bare_pickle(path: Path) -> Any:
    """What torch before 1.6 wrote.

    A damaged one may ask for gigabytes that are not there: a file would make room for them first, a
    map of it gives what there is.
    """
    with (
        safe_globals(_STAND_INS),
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
    ):
        return torch.load(mapped, map_location="cpu", weights_only=True)  # type: ignore[arg-type]


def _check_members(file: zipfile.ZipFile) -> None:
    """Refuse what would need more memory than the file has bytes: torch makes room for it first.

    Raises:
        ValueError: a packed member is huge, or a pickle names a text that is longer than it is.
    """
    for member in file.infolist():
        if member.compress_type != zipfile.ZIP_STORED and member.file_size > _LARGEST_PACKED:
            raise ValueError(f"its member {member.filename} unpacks to {member.file_size:,} bytes")
        if member.filename.endswith(".pkl"):
            for _ in pickletools.genops(file.read(member)):
                pass


def _check_storages(state: Mapping[str, Tensor], sizes: Sequence[int]) -> None:
    """Refuse a damaged TorchScript archive whose tensors would be read past their numbers.

    torch.load looks at this, torch.jit.load does not. sizes: of the members that hold numbers.

    Raises:
        ValueError: a storage is longer than any member that is left for it.
    """
    storages = [value.untyped_storage() for value in state.values()]
    lengths = {one.data_ptr(): one.nbytes() for one in storages if one.nbytes()}
    if more := Counter(lengths.values()) - Counter(sizes):
        raise ValueError(f"no member holds the {min(more):,} bytes that a tensor is said to have")


def _unpickled(path: Path, mmap: bool) -> Any:
    with safe_globals(_STAND_INS):
        if path.suffix != ".safetensors":
            return torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)
        with path.open("rb") as file:  # newer versions of torch go by this name, not by the bytes
            return torch.load(file, map_location="cpu", weights_only=True)


def _is_safetensors(head: bytes) -> bool:
    return head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= _LARGEST_HEADER


def _damage(path: Path, error: Exception) -> str:
    refused = _REFUSED_GLOBAL.search(str(error))
    if refused:
        return (
            f"the checkpoint {path} cannot be read: it holds a Python object, '{refused[1]}', and "
            f"remaking it could run code ({type(error).__name__}); where you trust its source, "
            "load it once with torch.load(..., weights_only=False) and save the weights alone: "
            "torch.save(model.state_dict(), 'clip.pt')."
        )
    first_line = str(error).strip().partition("\n")[0]
    return (
        f"the checkpoint {path} cannot be read, it may be cut short or damaged "
        f"({type(error).__name__}: {first_line})."
    )


def _in(path: Path) -> str:
    """Which files of a folder may be what was meant."""
    if not path.is_dir():
        return ""
    suffixes = (".safetensors", ".pt", ".pth", ".bin", ".ckpt")
    names = sorted(file.name for file in path.iterdir() if file.suffix.lower() in suffixes)
    return f"; the folder holds {', '.join(names)}" if names else "; the folder holds no weights"


def _something_else(path: Path, head: bytes) -> str:
    """What a file is that is no file of weights, and what to do; "" where it may be one."""
    if not head:
        return "empty"
    for signature, what in _ARCHIVES.items():
        if head.startswith(signature):
            return f"{what}: unpack it and name the file of weights inside"
    for signature, what in _OTHER_LIBRARIES.items():
        if head.startswith(signature):
            return f"{what}: take the PyTorch or safetensors weights of the same model"
    if head.startswith(b"version https://git-lfs"):
        size = re.search(rb"size (\d+)", head)
        of = f" of {int(size[1]):,} bytes" if size else ""
        return f"a Git LFS pointer to a file{of}, not that file: run 'git lfs pull' beside it"
    if _PAGE.match(head):
        return "a web page, which a server sent in place of the weights: download the file itself"
    if head[257:262] == b"ustar" or (b"\x00" in head and _is_tar(path)):
        return "a tar archive: unpack it and name the file of weights inside"
    if head.startswith(b"PK\x03\x04"):
        return _other_zip(path)
    return _text(path, head)


def _is_tar(path: Path) -> bool:
    return path.stat().st_size > _HEAD and tarfile.is_tarfile(path)


def _other_zip(path: Path) -> str:
    """What a zip archive is that torch has not written."""
    if not zipfile.is_zipfile(path):
        return ""  # cut short
    with zipfile.ZipFile(path) as file:
        names = [name for name in file.namelist() if not name.endswith("/")]
    if any(name.endswith("data.pkl") for name in names):
        return ""
    if names and all(name.endswith(".npy") for name in names):
        return "an archive of NumPy arrays: take the PyTorch or safetensors weights of the model"
    shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
    return f"a zip archive of {shown or 'nothing'}: unpack it and name the file of weights inside"


def _text(path: Path, head: bytes) -> str:
    """What a text is: a config or an index, or what a server answered."""
    words = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if words.startswith((b"{", b"[")):
        index = _index_of(path)
        return index or "a JSON text, such as a config: name the file of weights"
    if (
        path.stat().st_size <= _SHORT
        and words.isascii()
        and words[:40].decode("ascii").isprintable()
    ):
        shown = words[:40].decode("ascii")
        return f"a text, '{shown}': download or copy the file of weights itself"
    return ""


def _index_of(path: Path) -> str:
    try:
        files = sorted(set(json.loads(path.read_text("utf-8"))["weight_map"].values()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return ""
    return (
        f"an index of weights that lie in {len(files)} files ({', '.join(files[:3])}, ...): save "
        "them as one file first"
    )

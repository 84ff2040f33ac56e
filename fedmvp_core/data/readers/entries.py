"""What an entry of a folder is, told by its name alone: the one rule of every reader.

Entries that a system, a file manager, an archive program or an editor leaves are passed over.
Files that hold pictures in a form that is not read here are known by their suffix.
"""

import os
from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType

from PIL import features

# Whether Pillow reads AVIF depends on how it was built; older ones do not know the word.
_AVIF = "avif" in features.modules and features.check("avif")

SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".gif", ".tif", ".tiff"}
    | {".jp2", ".ppm", ".pgm", ".pbm", ".pnm"}
    | ({".avif"} if _AVIF else set())
)

_READ_BY = {
    "pillow-heif": (".heic", ".heif", ".hif"),
    "Pillow 11.3 or newer": (".avif",),
    "pillow-jxl-plugin": (".jxl",),
    "rawpy": (
        *(".raw", ".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw", ".srf", ".sr2", ".dng"),
        *(".orf", ".rw2", ".raf", ".pef", ".srw", ".3fr"),
    ),
    "resvg-py": (".svg", ".svgz"),
    "psd-tools": (".psd", ".psb"),
    "pypdfium2": (".pdf",),
    "Ghostscript": (".eps", ".ai"),
    "pydicom": (".dcm", ".dicom"),
    "nibabel": (".nii",),
    "OpenEXR": (".exr",),
    "imageio": (".hdr", ".j2k", ".tga", ".ico", ".dds", ".xcf"),
    "numpy": (".npy", ".npz"),
    "h5py": (".h5", ".hdf5"),
    "ffmpeg, frame by frame": (
        *(".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".wmv", ".flv", ".mpg", ".mpeg"),
        *(".3gp", ".mts", ".m2ts", ".avifs"),
    ),
    "an archive program": (".zip", ".tar", ".tgz", ".gz", ".rar", ".7z", ".xz", ".bz2"),
}
# Suffix of a picture, film or archive that is not read here -> what reads it.
OTHER_MEDIA: Mapping[str, str] = MappingProxyType(
    {
        suffix: reader
        for reader, suffixes in _READ_BY.items()
        for suffix in suffixes
        if suffix not in SUFFIXES
    }
)

# In lower case. Those that begin with a dot need no mention.
_SYSTEM_NAMES = frozenset(
    {
        *("__macosx", "icon\r", "network trash folder", "temporary items"),  # macOS
        *("thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini"),  # Windows
        *("$recycle.bin", "recycler", "system volume information", "found.000"),
        *("@eadir", "#recycle", "#snapshot", "@recycle", "@recently-snapshot", "@tmp"),  # NAS boxes
        *("lost+found", "__pycache__", "picasa.ini", "zbthumbnail.info"),
    }
)
_HIDING = (".", "~$")  # Unix, Office


def is_system(name: str) -> bool:
    """Whether a file or folder of this name is hidden, or left by a system or program."""
    return name.startswith(_HIDING) or name.lower() in _SYSTEM_NAMES


def has_system_part(path: str) -> bool:
    """Whether a part of a path with forward slashes is so; "." and ".." are not."""
    return any(is_system(part) for part in path.split("/") if part not in (".", ".."))


def suffix_of(name: str) -> str:
    """The suffix in lower case, "" where there is none."""
    return os.path.splitext(name)[1].lower()


def with_readers(suffixes: Counter[str]) -> str:
    """Suffixes of OTHER_MEDIA with their numbers and what helps, the most frequent first."""
    told = [
        f"{suffix} {count} (convert with {OTHER_MEDIA[suffix]})"
        for suffix, count in suffixes.most_common(12)
    ]
    return ", ".join(told) + (" and others" if len(suffixes) > len(told) else "")

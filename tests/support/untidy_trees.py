"""A folder of pictures as people have them on disk, with all that is not as it should be."""

import os
import shutil
from pathlib import Path

from PIL import ExifTags, Image
from small_pictures import write_folder, write_picture


def write_untidy(root: Path) -> Path:
    """Splits called Training and Testing; hidden entries, links, films, alike and thin classes.

    A picture is turned and has a twin in the test split; another is named in Latin-1.
    """
    write_folder(root, ("bee", "dog"), 4, splits=("Training", "Testing", "Valid"))
    outside = root.parent / "outside"
    write_folder(outside, ("linked",), 3)
    for split in ("Training", "Testing"):
        (root / split / "linked").symlink_to(outside / "linked" if split == "Testing" else "x")
    (root / "Training" / "linked").unlink()
    write_folder(root, ("linked",), 3, splits=("Training",))
    (root / "Training" / "round").symlink_to(root)
    (root / "Training" / "lost").symlink_to(root.parent / "unplugged")
    (root / "Training" / "bee" / "gone.png").symlink_to(root.parent / "unplugged.png")
    (root / "Training" / "kennel").symlink_to(root / "Training" / "dog")
    write_system_entries(root)
    write_picture(root / "Training" / "Ant" / "00.png", 1)
    write_picture(root / "Training" / "Ant" / "01.png", 2)
    write_picture(root / "Testing" / "ant" / "00.png", 3)
    for class_folder in ("road_vehicle", "road vehicle", "caf\u00e9", "cafe\u0301"):
        write_picture(root / "Training" / class_folder / "00.png", 4)
        write_picture(root / "Testing" / class_folder / "00.png", 5)
    write_picture(root / "Training" / "once" / "00.png", 6)
    write_bytes(root / "Training" / "phone", ("1.HEIC", "2.heic", "film.mp4"))
    write_bytes(root / "Training" / "bee", ("raw.NEF", "scan.pdf", "notes.txt"))
    (root / "Training" / "empty").mkdir()
    write_turned(root / "Training" / "bee" / "phone.jpg")
    shutil.copy(root / "Training" / "bee" / "phone.jpg", root / "Testing" / "bee" / "again.jpg")
    write_picture(root / "Training" / "dog" / os.fsdecode(b"caf\xe9.png"), 7)
    return root


def write_turned(path: Path) -> None:
    """A photo that EXIF says is to be turned by a quarter."""
    tags = Image.Exif()
    tags[ExifTags.Base.Orientation] = 6
    Image.effect_noise((20, 10), 50).convert("RGB").save(path, exif=tags)


def write_system_entries(root: Path) -> None:
    """Sixteen entries that no reader takes for a class or a picture."""
    for folder in (".ipynb_checkpoints", ".git", "@eaDir", "__MACOSX", "#recycle", "$RECYCLE.BIN"):
        write_picture(root / folder / "00.png", 0)
    for folder in ("lost+found", "System Volume Information"):
        write_picture(root / "Training" / folder / "00.png", 0)
    bee = root / "Training" / "bee"
    write_picture(bee / ".ipynb_checkpoints" / "00-checkpoint.png", 0)
    write_picture(bee / "@eaDir" / "00.png" / "SYNOPHOTO_THUMB_M.jpg", 0)
    write_bytes(bee, ("._00.png", "._01.png", "Thumbs.db", ".DS_Store", "desktop.ini", "~$a.jpg"))


def write_bytes(folder: Path, names: tuple[str, ...]) -> None:
    """Files that are no pictures, whatever their names."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"not a picture")

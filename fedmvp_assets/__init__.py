"""Data only: the EmojiDomains pictures and the tiny CLIP. manifest.json holds their checksums."""

from pathlib import Path

ASSETS = Path(__file__).parent

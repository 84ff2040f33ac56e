"""Picture files and their pixels: finding, decoding, keeping, checking."""

"""The typefaces that letters and kana are drawn in: style -> files of Debian's font packages.

The last three of a style's ten test, the one before validates; of shorter lists in proportion.
Their licences are in fedmvp_assets/NOTICE.
"""

LETTER_FONTS: dict[str, tuple[str, ...]] = {
    "serif": (
        *(
            "DejaVuSerif.ttf",
            "LiberationSerif-Regular.ttf",
            "GFSDidot.otf",
            "RobotoSlab-Regular.otf",
        ),
        *("CharisSIL-Regular.ttf", "OldStandard-Regular.ttf", "Vollkorn-Regular.ttf"),
        *("EBGaramond12-Regular.otf", "LinLibertine_R.otf", "Caladea-Regular.ttf"),
    ),
    "sans": (
        *("DejaVuSans.ttf", "LiberationSans-Regular.ttf", "Lato-Regular.ttf", "Jura-Regular.otf"),
        *("Roboto-Regular.ttf", "Quicksand-Regular.ttf", "Comfortaa-Regular.ttf"),
        *("OpenSans-Regular.ttf", "Cantarell-Regular.otf", "Cabin-Regular.otf"),
    ),
    "mono": (
        *("DejaVuSansMono.ttf", "LiberationMono-Regular.ttf", "Inconsolata.otf", "FreeMono.ttf"),
        *("Anonymous Pro.ttf", "Courier Prime.otf", "monof55.ttf"),
        *("Hack-Regular.ttf", "JetBrainsMono-Regular.ttf", "FantasqueSansMono-Regular.ttf"),
    ),
    "handwriting": (
        *("Breip.ttf", "dkg.ttf", "Rufscript010.ttf", "Kristi.ttf", "NanumPen.ttf"),
        *("Ecolier-court.ttf", "KleeOne-Regular.ttf"),
        *("Humor-Sans.ttf", "femkeklaver.ttf", "Domestic_Manners.ttf"),
    ),
    "display": (
        *("LeckerliOne-Regular.ttf", "CabinSketch-Regular.ttf", "ReggaeOne-Regular.ttf"),
        *("StayPuft.ttf", "allerta_stencil.otf", "OCRA.ttf", "TrainOne-Regular.ttf"),
        *("lobster.otf", "RampartOne-Regular.ttf", "BMKIRANGHAERANG-TTF.ttf"),
    ),
}
KANA_FONTS: dict[str, tuple[str, ...]] = {
    "gothic": (
        *("ipag.ttf", "Mplus1-Regular.otf", "MTLmr3m.ttf", "RocknRollOne-Regular.ttf"),
        *("VL-Gothic-Regular.ttf", "MTLc3m.ttf"),
    ),
    "mincho": (
        *("ipam.ttf", "HanaMinA.ttf", "YOzRN_.ttf", "cwming.ttf", "dejima-mincho-r227.ttf"),
        "ume-tmo3.ttf",
    ),
    "brush": (
        *(
            "AoyagiKouzanT.ttf",
            "kouzan-mouhitsu.ttf",
            "KleeOne-Regular.ttf",
            "YuseiMagic-Regular.ttf",
        ),
        *("aoyagi-soseki.ttf", "kiloji.ttf", "setofont.ttf"),
    ),
    "display": (
        *("ReggaeOne-Regular.ttf", "DotGothic16-Regular.ttf", "YOzRA_.ttf", "Stick-Regular.ttf"),
        *("TrainOne-Regular.ttf", "RampartOne-Regular.ttf"),
    ),
}
_ROWS = {
    **{"": "あいうえお", "k": "かきくけこ", "s": "さしすせそ", "t": "たちつてと"},
    **{"n": "なにぬねの", "h": "はひふへほ", "m": "まみむめも", "r": "らりるれろ"},
}
_HEPBURN = {"si": "shi", "ti": "chi", "tu": "tsu", "hu": "fu"}
# Reading -> glyph, the 46 of today.
HIRAGANA: dict[str, str] = {
    _HEPBURN.get(row + vowel, row + vowel): glyph
    for row, glyphs in _ROWS.items()
    for vowel, glyph in zip("aiueo", glyphs, strict=True)
} | {"ya": "や", "yu": "ゆ", "yo": "よ", "wa": "わ", "wo": "を", "n": "ん"}

"""Letters of the fonts Symbol and Wingdings, which have codes of their own, in Unicode. Knows codes only."""

SYMBOL = dict(
    zip(
        range(0x20, 0x7F),
        " !∀#∃%&∋()∗+,−./0123456789:;<=>?≅ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ[∴]⊥_‾αβχδεφγηιϕκλμνοπθρστυϖωξψζ{|}∼",
        strict=True,
    )
) | dict(
    zip(
        range(0xA0, 0xF0),
        "€ϒ′≤⁄∞ƒ♣♦♥♠↔←↑→↓°±″≥×∝∂•÷≠≡≈…⏐⎯↵ℵℑℜ℘⊗⊕∅∩∪⊃⊇⊄⊂⊆∈∉∠∇®©™∏√⋅¬∧∨⇔⇐⇑⇒⇓◊〈®©™∑⎛⎜⎝⎡⎢⎣⎧⎨⎩⎪",
        strict=True,
    )
)
WINGDINGS = {
    0x4A: "☺",
    0x6C: "●",
    0x6E: "■",
    0x6F: "☐",
    0x71: "❑",
    0x75: "◆",
    0x76: "❖",
    0x9F: "•",
    0xA7: "▪",
    0xA8: "☐",
    0xD8: "➢",
    0xDF: "←",
    0xE0: "→",
    0xE8: "➔",
    0xFB: "✗",
    0xFC: "✓",
    0xFD: "☒",
    0xFE: "☑",
}
FONTS = {"symbol": SYMBOL, "wingdings": WINGDINGS}
PRIVATE = 0xF000  # both fonts' letters stand from here on, where a program has kept them apart from others


def symbol(font: str, code: int) -> str:
    """The letter with this code in a font; empty where it is known to nobody else."""
    if not PRIVATE <= code <= PRIVATE + 0xFF and font.lower() not in FONTS:
        return chr(code) if code < 0x110000 and not 0xD800 <= code < 0xE000 else ""
    return FONTS.get(font.lower(), {}).get(code & 0xFF, "")


def decode_symbols(font: str, text: str) -> str:
    """The text of a run in this font: its letters of the private area as `symbol` has them."""
    if font.lower() not in FONTS:
        return text
    return "".join(symbol(font, ord(each)) if PRIVATE <= ord(each) <= PRIVATE + 0xFF else each for each in text)

"""Bytes as text: marks, what markup declares, and guesses. The languages are those of the encodings."""

import codecs

import pytest

from documents.encoding import decode, find_codec, mark_utf8
from documents.part import UnreadableFileError

TEXTS = {
    "Die Fähre fährt um neun Uhr ab. Bitte bringen Sie einen wärmeren Mantel mit, es weht ein kühler Wind.": "cp1252",
    "Où est la clé du phare? Elle est à côté de la fenêtre, près du théâtre, bien sûr.": "latin-1",
    "The ferry’s café leaves at nine — bring a “warm” coat, please; it costs £4 or €5.": "cp1252",
    "Prom odpływa o dziewiątej. Proszę zabrać ciepły płaszcz, źródło światła znajduje się w wieży.": "iso8859-2",
    "Přívoz odjíždí v devět hodin. Vezměte si prosím teplý kabát, žlutý kůň běží.": "cp1250",
    "Паром отправляется в девять часов. Возьмите тёплое пальто, дует холодный ветер.": "koi8-r",
    "Паром отправляется в девять утра. Возьмите тёплое пальто, дует холодный ветер.": "cp1251",
    "Паром отправляется в восемь часов. Возьмите тёплое пальто, дует холодный ветер.": "cp866",
    "Το πλοίο αναχωρεί στις εννέα. Παρακαλώ φέρτε ένα ζεστό παλτό.": "cp1253",
    "Vapur saat dokuzda kalkıyor. Lütfen sıcak bir palto getirin, çünkü serin bir rüzgâr esiyor.": "cp1254",
    "המעבורת יוצאת בשעה תשע. נא להביא מעיל חם, כי מעל המים נושבת רוח קרירה.": "cp1255",
    "تغادر العبارة في الساعة التاسعة. يرجى إحضار معطف دافئ لأن رياحا باردة تهب فوق الماء.": "cp1256",
    "フェリーは九時に出発します。水の上は冷たい風が吹くので、暖かいコートを持ってきてください。": "shift_jis",
    "フェリーは十時に出発します。水の上は冷たい風が吹くので、暖かいコートを持ってきてください。": "euc-jp",
    "渡轮九点出发。请带一件暖和的外套，因为水面上有凉风。灯塔的灯是绿色的。": "gb18030",
    "渡輪九點出發。請帶一件暖和的外套，因為水面上有涼風。燈塔的燈是綠色的。": "big5",
    "여객선은 아홉 시에 출발합니다. 물 위에는 찬 바람이 부니 따뜻한 외투를 가져오십시오.": "euc-kr",
}


@pytest.mark.parametrize("text", TEXTS)
def test_an_encoding_is_told_by_its_bytes(text: str) -> None:
    assert decode(text.encode(TEXTS[text])) == text


@pytest.mark.parametrize("text", TEXTS)
def test_what_is_declared_needs_no_guess(text: str) -> None:
    encoding = TEXTS[text]
    for few in (text, text[:5]):
        assert decode(few.encode(encoding), encoding.upper()) == few


def test_utf_8_goes_before_a_guess_and_a_mark_before_all() -> None:
    for text in (*TEXTS, "é", "日"):
        assert decode(text.encode()) == decode(text.encode(), "utf8") == decode(codecs.BOM_UTF8 + text.encode()) == text
        for encoding in ("utf-16", "utf-32"):
            assert decode(text.encode(encoding), "koi8-r") == text
    assert decode("ferry é".encode(), "windows-1252") == "ferry Ã©"  # as a browser shows it


def test_a_wrong_declaration_is_seen_to_be_wrong() -> None:
    assert decode("灯塔的灯".encode(), "utf-16") == "灯塔的灯"
    assert decode("Größe, Maße".encode("cp1252"), "utf-8") == "Größe, Maße"
    assert decode("灯塔的灯是绿色的".encode(), "shift_jis") == "灯塔的灯是绿色的"


def test_a_few_wrong_bytes_do_not_change_the_encoding() -> None:
    assert decode("größer ".encode() * 200 + b"\xff end") == "größer " * 200 + "\ufffd end"
    assert decode("灯塔".encode("gb18030") * 200 + b"\xff", "gbk") == "灯塔" * 200 + "\ufffd"


@pytest.mark.parametrize(
    ("label", "codec"),
    [
        ("ISO-8859-1", "cp1252"),
        ("us-ascii", "cp1252"),
        (" x-sjis ", "cp932"),
        ("gb2312", "gb18030"),
        ("ks_c_5601-1987", "cp949"),
        ("windows-874", "cp874"),
        ("iso-8859-9", "cp1254"),
        ("iso-8859-15", "iso8859-15"),
        ("utf-16le", "utf-8"),
    ],
)
def test_labels_mean_what_the_web_means_by_them(label: str, codec: str) -> None:
    assert find_codec(label) == codec


@pytest.mark.parametrize("label", ["", "\0", "é", "nonsense", "unicode_escape", "rot13", "base64", "idna", "utf-7"])
def test_no_other_codec_is_called(label: str) -> None:
    assert find_codec(label) is None
    assert decode(b"\\u0041+AEE-", label) == "\\u0041+AEE-"


@pytest.mark.parametrize("data", [b"\xff\xfea", bytes(1 + 7 * at * at % 255 for at in range(5000))])
def test_what_is_no_text_is_refused(data: bytes) -> None:
    with pytest.raises(UnreadableFileError, match="is not UTF-8"):
        decode(data)


@pytest.mark.parametrize(
    ("data", "charset"),
    [
        (b"\xef\xbb\xbfcaf\xc3\xa9", "windows-1252"),  # its mark goes first
        ("café, naïve, déjà vu".encode(), "no-such-charset"),
        (b"\x81\x82\x83\xff\xfe", "shift_jis"),  # what is not so encoded
    ],
    ids=["mark", "unknown", "wrong"],
)
def test_a_charset_that_cannot_hold_changes_nothing(data: bytes, charset: str) -> None:
    assert mark_utf8(data, charset) == data

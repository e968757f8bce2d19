"""What differs only in how it is typed is found, whichever of the two is the text and which the question."""

import unicodedata

import pytest
from langchain_core.documents import Document

from documents.folding import fold, fold_words
from documents.search import Index

HASH = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
UUID = "550e8400-e29b-41d4-a716-446655440000"


def decomposed(text: str) -> str:
    """Letters and marks apart, as macOS names files."""
    return unicodedata.normalize("NFD", text)


PAIRS = {
    "Latin": [
        (decomposed("résumé"), "résumé"),
        ("gâteau brûlé", "gateau brule"),
        ("eﬃciency", "efficiency"),
        ("Ｔｏｋｙｏ", "Tokyo"),
        ("İstanbul", "istanbul"),
        ("Straße", "STRASSE"),
        ("Straße", "strasse"),
        ("smørrebrød", "smorrebrod"),
        ("Łódź", "lodz"),
        ("đường", "duong"),
        ("æther", "aether"),
        ("kapı", "KAPI"),
        ("kapı", "kapi"),
        ("IĞDIR", "ığdır"),
        ("Þingvellir", "thingvellir"),
        ("œuvre", "oeuvre"),
        ("Ærø", "aero"),
        ("ħobż", "hobz"),
        ("naïve", "naive"),
        ("Dvořák", "dvorak"),
        ("Ștefan", "Ştefan"),
        ("Việt", "Viet"),
        (decomposed("Việt"), "Việt"),
        ("ﬁnance", "finance"),
        ("ﬂour", "flour"),
        ("𝔘𝔫𝔦", "uni"),
        ("ⅷ", "viii"),
        ("ǅep", "džep"),
        ("ĳs", "ijs"),
        ("ſilver", "silver"),
        ("X" * 64, "x" * 64),
        ("thé", "thé"),
        ("ŉ boek", "boek"),
        ("🎉 party", "🎉"),
        (decomposed("Álamo"), "Álamo"),
        ("Gießen", "Giessen"),
        ("GROẞ", "groß"),
        (decomposed("école"), "école"),
        ("q\u0303uey", "quey"),
    ],
    "what is not seen": [
        ("light\u00adhouse", "lighthouse"),
        ("light\u200bhouse", "lighthouse"),
        ("light\u00adhouse", "light\u200bhouse"),
        ("co\u2060operate", "cooperate"),
        ("zero\ufeffwidth", "zerowidth"),
        ("gato\u202e", "gato"),
        ("re\u00ad\nsearch", "research"),
        ("soft\u200d", "soft"),
    ],
    "Greek, Cyrillic, Caucasian": [
        ("ΟΔΟΣ", "οδός"),
        ("μῆνιν", "μηνιν"),
        ("Ἀθῆναι", "αθηναι"),
        ("ψυχῇ", "ψυχη"),
        ("λόγος", "ΛΟΓΟΣ"),
        ("Κόρινθος", "κορινθοσ"),
        ("йод", decomposed("йод")),
        ("ёлка", "елка"),
        ("Ёж", decomposed("ёж")),
        ("за\u0301мок", "замок"),
        ("ї\u0301жак", "їжак"),
        ("«цитата»", "цитата"),
        ("Հայաստան", "ՀԱՅԱՍՏԱՆ"),
        ("საქართველო", "ᲡᲐᲥᲐᲠᲗᲕᲔᲚᲝ"),
        ("Ⴀ", "ⴀ"),
    ],
    "Arabic": [
        ("كِتَابٌ", "كتاب"),
        ("می\u200cخواهم", "میخواهم"),
        ("كتـــاب", "كتاب"),
        ("أحمد", "احمد"),
        ("إسلام", "اسلام"),
        ("آدم", "ادم"),
        ("مدرسة", "مدرسه"),
        ("مستشفى", "مستشفي"),
        ("ٱلكتاب", "الكتاب"),
        ("ﻛﺘﺎﺏ", "كتاب"),
        ("کتاب", "كتاب"),
        ("٢٠٢٤", "2024"),
        ("۱۲۳", "123"),
        ("ﷲ", "الله"),
    ],
    "Hebrew": [
        ("שָׁלוֹם", "שלום"),
        ("בְּרֵאשִׁית", "בראשית"),
        ("יִשְׂרָאֵל", "ישראל"),
    ],
    "India": [
        ("मुझे किताब", "किताब"),
        ("हिन्दी भाषा", "हिन्दी"),
        ("क़िताब", "क़िताब"),
        ("ज़मीन", "जमीन"),
        ("தமிழ் மொழி", "தமிழ்"),
        ("বাংলা ভাষা", "ভাষা"),
        ("తెలుగు భాష", "భాష"),
        ("ಕನ್ನಡ ಭಾಷೆ", "ಕನ್ನಡ"),
        ("മലയാളം ഭാഷ", "മലയാളം"),
        ("සිංහල භාෂාව", "සිංහල"),
        ("ਪੰਜਾਬੀ ਬੋਲੀ", "ਪੰਜਾਬੀ"),
        ("ગુજરાતી", "ગુજરાતી"),
        ("१२३", "123"),
    ],
    "East Asia": [
        ("灯塔的灯", "灯"),
        ("ｶﾞｿﾘﾝ", "ガソリン"),
        ("ﾃﾚﾋﾞ", "テレビ"),
        ("한국어", decomposed("한국어")),
        ("집에 가다", "집"),
        ("渡轮", "轮"),
        ("東京都", "京"),
        ("神", "神社の神"),
        ("日本語", "語"),
        ("ห้องสมุด", "สมุด"),
        ("ภาษาไทย", "ไทย"),
        ("ພາສາລາວ", "ລາວ"),
        ("ភាសាខ្មែរ", "ខ្មែរ"),
        ("မြန်မာစာ", "မြန်မာ"),
        ("Python入門", "python"),
        ("Python入門", "入門"),
        ("⼈間", "人間"),
        ("豈有", "豈有"),
        ("人々", "人々"),
        ("㎏", "kg"),
    ],
    "signs and numbers": [
        (HASH, HASH.upper()),
        ("ﬀ-ﬄe", "ff-ffle"),
        ("ＡＢＣ１２３", "abc123"),
        ("L'été", "été"),
        ("l’été", "ete"),
        ("aujourd’hui", "aujourd'hui"),
        ("O’Brien", "OBrien"),
        ("O'Brien", "Brien"),
        ("don’t", "don't"),
        ("Tom’s", "Tom"),
        ("Hawaiʻi", "Hawai'i"),
        ("rock’n’roll", "rocknroll"),
        ("e-mail", "email"),
        ("light-house", "lighthouse"),
        ("light-\nhouse", "lighthouse"),
        ("well-\nknown", "well-known"),
        ("well-known", "known"),
        ("well‑known", "well-known"),
        ("mother-in-law", "motherinlaw"),
        ("col·lecció", "colleccio"),
        ("1,234.5", "1234.5"),
        ("1,234", "1234"),
        ("1.234.567", "1234567"),
        ("10 000", "10000"),
        ("10\u00a0000", "10,000"),
        ("1'234", "1234"),
        ("12,5", "12.5"),
        ("H₂O", "H2O"),
        ("x²", "x2"),
        ("C++", "c++"),
        ("C++", "C"),
        ("C#", "c#"),
        (".NET", ".net"),
        (".NET", "net"),
        ("F#", "f#"),
        ("U.S.A.", "USA"),
        ("anna.smith@example.org", "smith"),
        ("anna.smith@example.org", "anna.smith@example.org"),
        ("AB-1234/5", "AB1234"),
        ("AB-1234/5", "1234"),
        ("file_name", "name"),
        ("https://example.org/some/path?x=1", "path"),
        (UUID, UUID.replace("-", "")),
        ("Acme™", "Acme"),
        ("№5", "No5"),
        ("①", "1"),
        ("ａｂｃ＠ｅｘａｍｐｌｅ．ｏｒｇ", "abc@example.org"),
        ("１，２３４", "1,234"),
    ],
}


@pytest.fixture(scope="module")
def passages() -> Index:
    """The texts of all pairs, each in a passage of its own."""
    sides = dict.fromkeys(side for pairs in PAIRS.values() for pair in pairs for side in pair)
    return Index([Document(side) for side in sides])


@pytest.mark.parametrize("kind", PAIRS)
def test_both_are_found_by_each_other(kind: str, passages: Index) -> None:
    missed = [
        (text, question)
        for first, second in PAIRS[kind]
        for text, question in ((first, second), (second, first))
        if text not in [each.page_content for each in passages.search(question, 1000)]
    ]
    assert missed == []


def test_the_quote_is_the_files_own_words() -> None:
    text = "Le gâ\u00adteau BRÛLÉ, ﬁn de ＴＯＫＹＯ."
    assert [each.page_content for each in Index([Document(text)]).search("gateau brule")] == [text]


def test_a_sentence_without_spaces_has_the_words_of_its_pieces() -> None:
    piece = "Ärger塔Tee, Ё灯\u3099🌊"
    assert fold_words(piece).split() == ["arger", "塔", "tee", "е", "灯\u3099", "🌊"]
    assert fold_words(piece * 40).split() == fold_words(piece).split() * 40


def test_letters_that_make_another_word_stay() -> None:
    assert fold("й ї ў Ґ が ペ ก็ कि की क् ம் 한") == "й ї ў ґ が ペ ก็ कि की क् ம் 한"
    for first, second in (("кой", "кои"), ("かき", "がき"), ("ハン", "パン"), ("कि", "की"), ("мої", "мои")):
        assert fold(first) != fold(second)
        assert Index([Document(first)]).search(second) == []


def test_folding_twice_is_folding_once() -> None:
    every = list(map(chr, [*range(0xD800), *range(0xE000, 0x20000)]))
    assert [letter for letter in every if fold(fold(letter)) != fold(letter)] == []
    assert [letter for letter in every if fold(decomposed(letter)) != fold(letter)] == []

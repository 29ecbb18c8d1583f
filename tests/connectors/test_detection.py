"""Encodings: found out by the bytes of real names and told, or asked for; never guessed in silence."""

import pytest

from connectors.delimited import open_delimited
from connectors.detection import SURE, detect
from connectors.lines import Limits
from connectors.unpack import PackedFile
from schemas.errors import SourceError
from schemas.tables import Csv

WESTERN = """José García, François Lefèvre, Jürgen Müller, Zoë Brontë, Søren Kjærgård, Ana Peña, Renée Fournier,
João Gonçalves, Günther Weiß, Núria Martínez, Élodie Châtelain, Håkan Sjöström"""
CHINESE = "王伟, 李娜, 张敏, 刘洋, 陈静, 杨丽, 赵强, 黄磊, 周杰, 吴秀英, 徐明, 孙丽华, 北京市朝阳区, 上海市浦东新区"
JAPANESE = """佐藤太郎, 鈴木花子, 高橋健一, 田中美咲, ヤマダタロウ, 渡辺直子, 伊藤翔, 山本さくら, 中村悠斗, 小林陽菜,
東京都千代田区, 大阪市北区梅田"""
RUSSIAN = "Иванов Иван, Петрова Мария, Сидоров Алексей, Кузнецова Ольга, Смирнов Дмитрий, Попова Анна, Волков Сергей"
KOREAN = "김민수, 이영희, 박지훈, 최수진, 정다은, 강현우, 조서연, 윤도현, 장미란, 임재범, 서울특별시, 부산광역시"
TURKISH = "Ayşe Öztürk, Çağla Şahin, Gökçe Doğan, Işıl Yıldız, Şükrü Çiğdem, Uğur Gündoğdu, Barış Kılıç, Ömer Aydın"

GERMAN = """Müller Jörg, Schäfer Günther, Weiß Käthe, Köhler Björn, Größe Händel, Österreich Jürgen, Böhm Rüdiger,
Häußler Sören, Krüger Ulrike, Fröhlich Änne, Lüdtke Götz, Völker Grünwald"""
SPANISH = """José Muñoz, Íñigo Peña, Ángel Núñez, María Gómez, Sofía López, Martín Ibáñez, Raúl Jiménez, Begoña García,
Andrés Fernández, Inés Martínez, Óscar Rodríguez, Lucía Sánchez, Jesús Hernández"""
POLISH = """Łukasz Żółć, Świętosław Dąbrowski, Zażółć Gęślą, Małgorzata Wójcik, Stanisław Król, Agnieszka Wiśniewska,
Paweł Źrebak, Bożena Łęcka, Jóźwiak Ćwikła, Krzysztof Ząbek, Błażej Śliwa"""
GREEK = "Γιώργος Παπαδόπουλος, Μαρία Ιωάννου, Κωνσταντίνος Δημητρίου, Ελένη Γεωργίου, Νίκος Αντωνίου, Άννα Πέτρου"
HEBREW = "דוד כהן, שרה לוי, משה פרץ, רחל מזרחי, יוסף אברהם, מרים ביטון, יעקב דהן"
ARABIC = "محمد أحمد, فاطمة علي, عبد الله حسن, عائشة إبراهيم, يوسف خالد, مريم سعيد, عمر حسين"
THAI = "สมชาย ใจดี, สมหญิง รักไทย, ประเสริฐ ศรีสุข, มาลี ทองดี, วิชัย แสงทอง, กรุงเทพมหานคร"
BALTIC = """Žydrūnas Šimkus, Rūta Žukauskienė, Živilė Ąžuolė, Eglė Petrauskaitė, Jānis Bērziņš, Kristīne Kalniņa,
Līga Ozoliņa, Mārtiņš Šmits, Õnne Tõnisson, Ülle Mägi"""


def names_in(text):
    return [" ".join(name.split()) for name in text.split(",")]


def table_of(text, line_end="\n"):
    rows = [f"C-{1000 + n},{name},{n * 17}" for n, name in enumerate(names_in(text))]
    return line_end.join(["member_no,name,points", *rows, ""])


@pytest.fixture
def read(tmp_path):
    """A function that reads bytes as a delimited file: names, notes, and lines that are none."""

    def reading(content, **written):
        path = tmp_path / "t.csv"
        path.write_bytes(content)
        opened = open_delimited(PackedFile(path, "customers"), Csv(**written), None, Limits())
        batches = list(opened.batches(0))
        found = [name for batch in batches for name in batch.rows.column("name").to_pylist()]
        return found, opened.notes, [each.line for batch in batches for each in batch.unreadable]

    return reading


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize(
    ("text", "codec", "told"),
    [
        (WESTERN, "cp1252", "cp1252"),
        (WESTERN, "latin-1", "cp1252"),
        (CHINESE, "gb18030", "gb18030"),
        (CHINESE, "gbk", "gb18030"),
        (JAPANESE, "cp932", "cp932"),
        (JAPANESE, "shift_jis", "cp932"),
        (RUSSIAN, "cp1251", "cp1251"),
        (RUSSIAN, "koi8-r", "koi8-r"),
        (KOREAN, "cp949", "cp949"),
        (TURKISH, "cp1254", "cp1254"),
        (CHINESE, "utf-16-le", "utf-16-le"),
        (WESTERN, "utf-16-be", "utf-16-be"),
    ],
)
def test_an_encoding_is_found_out_by_names_and_told(read, text, codec, told, line_end):
    found, (note,), wrong = read(table_of(text, line_end).encode(codec))
    assert (found, wrong) == (names_in(text), [])
    assert note.startswith(f"read as {told}, found out by its bytes (confidence ")
    assert note.endswith(f"write csv.encoding: {told} to be sure")


@pytest.mark.parametrize("text", [WESTERN, CHINESE, JAPANESE, RUSSIAN], ids=["west", "china", "japan", "russia"])
@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_what_says_itself_what_it_is_needs_no_note(read, text, codec):
    assert read(table_of(text).encode(codec)) == (names_in(text), (), [])


def test_what_could_be_either_is_asked_for(read):
    """Letters of Iceland among those of western Europe could be Turkish ones."""
    mixed = WESTERN + ", Björk Þórsdóttir, Þóra Guðmundsdóttir"
    content = table_of(mixed).encode("cp1252")
    with pytest.raises(
        SourceError, match=r"the text is not utf-8; set csv\.encoding \(one of these fits: cp1252, .*cp1254"
    ):
        read(content)
    assert read(content, encoding="cp1252") == (names_in(mixed), (), [])


@pytest.mark.parametrize(
    ("text", "codec"),
    [
        (WESTERN, "cp850"),
        (WESTERN, "cp437"),
        (WESTERN, "mac_roman"),
        (GERMAN, "cp850"),
        (GERMAN, "mac_roman"),
        (SPANISH, "mac_roman"),
        (POLISH, "iso8859-2"),
        (POLISH, "cp852"),
        (RUSSIAN, "cp866"),
        (RUSSIAN, "iso8859-5"),
        (RUSSIAN, "mac_cyrillic"),
        (GERMAN.upper(), "cp850"),
        (RUSSIAN.upper(), "cp866"),
    ],
)
def test_elder_encodings_are_asked_for_and_not_taken_for_todays(read, text, codec):
    with pytest.raises(SourceError, match=r"set csv\.encoding"):
        read(table_of(text).encode(codec, "replace"))


@pytest.mark.parametrize(
    ("text", "codec"),
    [
        (WESTERN + ", “Étoile”, L’Hôtel, «Café», Mª José, Nº 5", "cp1252"),
        (GERMAN, "cp1252"),
        (POLISH, "cp1250"),
        (RUSSIAN + ", ООО «Ромашка», № 5, “Звезда”", "cp1251"),
        (GREEK, "cp1253"),
        (HEBREW, "cp1255"),
        (ARABIC, "cp1256"),
        (THAI, "cp874"),
        (BALTIC, "cp1257"),
    ],
)
def test_quotes_beside_words_make_no_other_encoding_of_them(read, text, codec):
    found, (note,), _ = read(table_of(text).encode(codec))
    assert found == names_in(text)
    assert note.startswith(f"read as {codec}, ")


def test_japanese_in_escapes_is_asked_for(read):
    content = table_of(JAPANESE).encode("iso2022_jp")
    with pytest.raises(SourceError, match=r"set csv\.encoding: iso-2022-jp"):
        read(content)
    assert read(content, encoding="iso-2022-jp") == (names_in(JAPANESE), (), [])


def test_a_letter_that_would_become_a_sign_is_asked_for(read):
    """iso8859-15 has Š and Ž where cp1252 has the broken bar and the acute accent."""
    with pytest.raises(SourceError, match=r"set csv\.encoding"):
        read(table_of(WESTERN + ", Žofie Šimková").encode("iso8859-15"))


def test_a_named_encoding_is_not_overridden(read):
    found, notes, _ = read(table_of(WESTERN).encode("cp1252"), encoding="cp1250")
    assert (len(found), notes) == (len(names_in(WESTERN)), ())
    assert found != names_in(WESTERN)


def test_a_mark_knows_better_than_the_job(read):
    assert read(table_of(WESTERN).encode("utf-8-sig"), encoding="cp1252")[0] == names_in(WESTERN)


def test_a_few_broken_lines_do_not_make_another_encoding_of_utf_8(read):
    content = table_of(WESTERN).encode().replace("José".encode(), b"Jos\xe9").replace("João".encode(), b"Jo\xe3o")
    found, notes, wrong = read(content)
    assert (len(found), notes, wrong) == (len(names_in(WESTERN)) - 2, (), [2, 9])


def test_one_broken_line_among_ascii_is_a_broken_line(read):
    content = b"member_no,name\n" + b"1,Ann\n" * 50 + b"2,Jos\xe9\n"
    assert read(content) == (["Ann"] * 50, (), [52])


def test_foreign_lines_behind_the_sample_are_unreadable_and_not_misread(read):
    """A long beginning in ASCII says utf-8, and what is found behind it is kept for a person."""
    ascii_rows = 90_000
    content = b"member_no,name\n" + b"1,Ann\n" * ascii_rows + table_of(WESTERN).encode("cp1252").split(b"\n", 1)[1]
    found, notes, wrong = read(content)
    assert (len(found), notes) == (ascii_rows, ())
    assert wrong == list(range(ascii_rows + 2, ascii_rows + 2 + len(names_in(WESTERN))))


@pytest.mark.parametrize(
    ("head", "codec"),
    [
        (b"", "utf-8"),
        (b"a,b\n1,2\n", "utf-8"),
        (table_of(CHINESE).encode()[:-2], "utf-8"),
        (b"a,b\n" + "é,ü\n".encode() * 50 + b"\xc3", "utf-8"),  # a character cut in two
        (b"\xff\xfea\0", "utf-16-le"),
        ("姓名\r\n".encode("utf-16-le") + "王伟\r\n李娜\r\n".encode("utf-16-le"), "utf-16-le"),
    ],
)
def test_what_is_certain_is_said_to_be(head, codec):
    assert detect(head) == (codec, pytest.approx(1.0, abs=0.011))


@pytest.mark.parametrize(
    "head",
    [
        b"a,b\n" + b"1,Jos\xe9\n" * 50,
        bytes(range(256)) * 9,
        b"a,b\n1,2\0\n" + b"3,4\n" * 500,
        b"\x00\xd8" * 200,
    ],
    ids=["one word", "binary", "one NUL", "half a pair"],
)
def test_little_or_odd_evidence_is_unsure(head):
    assert detect(head)[1] < SURE

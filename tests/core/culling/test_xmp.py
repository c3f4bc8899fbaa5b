"""Ratings in XMP sidecars: written as photo programs read them, and never over a person's."""

from __future__ import annotations

import time
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from PIL.TiffImagePlugin import ImageFileDirectory_v2

import shamisa_cli as shamisa
from shamisa_cli.core.culling.decisions import CullRule, Decision, decide
from shamisa_cli.core.culling.packet import MAX_BYTES, read_packet
from shamisa_cli.core.culling.sidecar_names import Naming, sidecar_of
from shamisa_cli.core.culling.sidecars import embedded_mark, write_sidecars
from shamisa_cli.core.culling.xmp import Mark, read_rating, write_mark
from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.records import ImageRecord

OTHER_PROGRAM = """<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:darktable="http://darktable.sf.net/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
 xmlns:dc="http://purl.org/dc/elements/1.1/" {rating} darktable:history_end="3">
<dc:subject><rdf:Bag><rdf:li>café</rdf:li></rdf:Bag></dc:subject></rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="w"?>"""


def test_a_new_sidecar_holds_the_rating_and_label_where_programs_look_for_them(tmp_path: Path) -> None:
    file = tmp_path / "a.jpg.xmp"
    assert write_mark(file, Mark(4, "Green")) == "written"
    names = {"rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#"}
    description = ET.parse(file).find("rdf:RDF/rdf:Description", names)
    assert description is not None
    assert description.get("{http://ns.adobe.com/xap/1.0/}Rating") == "4"
    assert description.get("{http://ns.adobe.com/xap/1.0/}Label") == "Green"
    assert 'xmp:Rating="4"' in file.read_text()  # some programs look for the text


def test_everything_else_in_a_sidecar_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "a.jpg.xmp"
    file.write_text(OTHER_PROGRAM.format(rating='xmp:Rating="0"'), encoding="utf-8")
    assert write_mark(file, Mark(2, None)) == "written"
    text = file.read_text(encoding="utf-8")
    assert 'darktable:history_end="3"' in text
    assert "<rdf:li>café</rdf:li>" in text
    assert read_rating(file) == 2


@pytest.mark.parametrize("rating", ['xmp:Rating="5"', 'xmp:Rating="-1"', 'xmp:Label="Blue"'])
def test_a_persons_rating_or_label_is_kept_unless_told_otherwise(tmp_path: Path, rating: str) -> None:
    file = tmp_path / "a.jpg.xmp"
    before = OTHER_PROGRAM.format(rating=rating)
    file.write_text(before, encoding="utf-8")
    assert write_mark(file, Mark(2, "Red")) == "kept"
    assert file.read_text(encoding="utf-8") == before
    assert write_mark(file, Mark(2, "Red"), overwrite=True) == "written"
    assert read_rating(file) == 2


def test_a_rating_of_an_earlier_run_is_replaced_but_not_once_a_person_changed_it(tmp_path: Path) -> None:
    file = tmp_path / "a.jpg.xmp"
    write_mark(file, Mark(2, "Green"))
    assert write_mark(file, Mark(3, "Green")) == "written"
    assert write_mark(file, Mark(3, "Green")) == "unchanged"
    file.write_text(file.read_text().replace('xmp:Rating="3"', 'xmp:Rating="5"'))
    assert write_mark(file, Mark(1, "Red")) == "kept"


def test_ratings_as_elements_are_read_and_replaced(tmp_path: Path) -> None:
    file = tmp_path / "a.xmp"
    text = OTHER_PROGRAM.format(rating="").replace("<dc:subject>", "<xmp:Rating>4</xmp:Rating><dc:subject>")
    file.write_text(text, encoding="utf-8")
    assert read_rating(file) == 4
    assert write_mark(file, Mark(1, None), overwrite=True) == "written"
    assert read_rating(file) == 1
    assert "<xmp:Rating>" not in file.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "content",
    [
        b"", b"not XML", b"<a/>", b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', b"\xff\xfe<\0a\0/\0>\0",
        b'<?xml version="1.0" encoding="nothing"?><a/>',
    ],
)  # fmt: skip
def test_a_file_that_is_no_sidecar_is_an_error_and_stays_as_it_is(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "a.jpg.xmp"
    file.write_bytes(content)
    with pytest.raises(shamisa.SettingError, match=r"a\.jpg\.xmp"):
        write_mark(file, Mark(2, "Red"), overwrite=True)
    assert file.read_bytes() == content


@given(st.binary(max_size=300))
def test_no_bytes_in_a_sidecar_raise_anything_else(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    file = tmp_path_factory.mktemp("xmp") / "a.xmp"
    file.write_bytes(b'<x:xmpmeta xmlns:x="adobe:ns:meta/">' + content)
    with pytest.raises(shamisa.SettingError):
        read_rating(file)


def test_names_of_sidecars_are_those_of_darktable_or_of_adobe() -> None:
    assert sidecar_of(Path("b/a.jpg")) == Path("b/a.jpg.xmp")
    assert sidecar_of(Path("b/a.jpg"), "replaced") == Path("b/a.xmp")


def test_a_rating_inside_the_picture_counts_as_a_persons(tmp_path: Path) -> None:
    picture = tmp_path / "a.jpg"
    Image.new("RGB", (8, 8)).save(picture, xmp=OTHER_PROGRAM.format(rating='xmp:Rating="4"').encode())
    assert embedded_mark(picture).rating == 4
    exif = Image.Exif()
    exif[0x4746] = 3
    Image.new("RGB", (8, 8)).save(tmp_path / "b.jpg", exif=exif)
    assert embedded_mark(tmp_path / "b.jpg").rating == 3
    decisions = decide([ImageRecord(str(picture), 10.0)], CullRule(below=50))
    assert [result.outcome for result in write_sidecars(decisions)] == ["kept"]
    assert not sidecar_of(picture).exists()
    assert [result.outcome for result in write_sidecars(decisions, overwrite=True)] == ["written"]
    assert read_rating(sidecar_of(picture)) == -1


@pytest.mark.parametrize("change", ["unrated", "taken away", "another label"])
def test_what_a_person_took_back_is_not_written_again(tmp_path: Path, change: str) -> None:
    picture = rated(tmp_path / "a.jpg", "")
    list(write_sidecars(rejected(picture)))
    sidecar = sidecar_of(picture)
    text = sidecar.read_text()
    changed = {
        "unrated": text.replace('xmp:Rating="-1"', 'xmp:Rating="0"'),
        "taken away": text.replace('xmp:Rating="-1"', "").replace('xmp:Label="Red"', ""),
        "another label": text.replace('xmp:Label="Red"', 'xmp:Label=""'),
    }[change]
    assert changed != text
    sidecar.write_text(changed)
    assert [result.outcome for result in write_sidecars(rejected(picture))] == ["kept"]
    assert sidecar.read_text() == changed
    assert [result.outcome for result in write_sidecars(rejected(picture), overwrite=True)] == ["written"]


def decided(picture: Path, **rule: float) -> list[Decision]:
    return decide([ImageRecord(str(picture), 10.0)], CullRule(**rule))


def test_a_later_run_takes_back_what_an_earlier_one_wrote_and_no_more(tmp_path: Path) -> None:
    picture = rated(tmp_path / "a.jpg", "")
    list(write_sidecars(decided(picture, below=50)))
    assert [result.outcome for result in write_sidecars(decided(picture, below=5), dry=True)] == ["written"]
    assert [result.outcome for result in write_sidecars(decided(picture, below=5))] == ["written"]
    text = sidecar_of(picture).read_text()
    assert "Rating" not in text
    assert 'xmp:Label="Green"' in text
    assert [result.outcome for result in write_sidecars(decided(picture, below=5))] == ["unchanged"]
    list(write_sidecars(decided(picture), stars=True, verdicts=False))
    text = sidecar_of(picture).read_text()
    assert "Label" not in text
    assert 'xmp:Rating="1"' in text
    sidecar_of(picture).write_text(text.replace('xmp:Rating="1"', 'xmp:Rating="5"'))  # a person's
    assert [result.outcome for result in write_sidecars(decided(picture, below=5))] == ["written"]
    assert read_rating(sidecar_of(picture)) == 5


def test_a_number_that_another_program_wrote_in_its_own_way_is_the_same(tmp_path: Path) -> None:
    picture = rated(tmp_path / "a.jpg", "")
    list(write_sidecars(rejected(picture)))
    sidecar = sidecar_of(picture)
    sidecar.write_text(sidecar.read_text().replace('xmp:Rating="-1"', 'xmp:Rating="-1.0"'))
    assert [result.outcome for result in write_sidecars(rejected(picture))] == ["written"]


def test_the_marks_of_a_packet_and_comments_around_it_are_kept(tmp_path: Path) -> None:
    file = tmp_path / "a.jpg.xmp"
    file.write_text(f"<!-- before -->{OTHER_PROGRAM.format(rating='')}<!-- after -->", encoding="utf-8")
    for rating in (2, 3):
        assert write_mark(file, Mark(rating, None)) == "written"
        text = file.read_text(encoding="utf-8")
        assert text.index("<!-- before -->") < text.index('<?xpacket begin="" id=') < text.index("<x:xmpmeta")
        assert text.index("</x:xmpmeta>") < text.index('<?xpacket end="w"?>') < text.index("<!-- after -->")
        assert text.count("<?xpacket") == 2
        assert read_rating(file) == rating


def rated(picture: Path, rating: str) -> Path:
    """A picture with a packet in it, as Lightroom, digiKam and darktable export them."""
    packet = OTHER_PROGRAM.format(rating=rating)
    if picture.suffix == ".png":
        text = PngInfo()
        text.add_itxt("XML:com.adobe.xmp", packet, zip=picture.stem == "zipped")
        Image.new("RGB", (8, 8)).save(picture, pnginfo=text)
    elif picture.suffix == ".tif":
        Image.new("RGB", (8, 8)).save(picture, tiffinfo={700: packet.encode()})
    else:
        Image.new("RGB", (8, 8)).save(picture, xmp=packet.encode())
    return picture


def rejected(*pictures: Path) -> list[Decision]:
    return decide([ImageRecord(str(picture), 10.0) for picture in pictures], CullRule(below=50))


@pytest.mark.parametrize("beside", [False, True], ids=["no sidecar", "a sidecar without a rating"])
@pytest.mark.parametrize("rating", ['xmp:Rating="5"', 'xmp:Label="Purple"'])
@pytest.mark.parametrize("name", ["a.jpg", "a.png", "zipped.png", "a.tif", "a.webp"])
def test_what_a_person_said_inside_the_picture_is_kept(tmp_path: Path, name: str, rating: str, beside: bool) -> None:
    picture = rated(tmp_path / name, rating)
    if beside:
        sidecar_of(picture).write_text(OTHER_PROGRAM.format(rating=""), encoding="utf-8")
    before = sorted(file.read_bytes() for file in tmp_path.iterdir())
    assert [result.outcome for result in write_sidecars(rejected(picture))] == ["kept"]
    assert sorted(file.read_bytes() for file in tmp_path.iterdir()) == before


def test_a_rating_that_a_person_gave_inside_the_picture_after_a_run_is_kept(tmp_path: Path) -> None:
    picture = rated(tmp_path / "a.jpg", "")
    assert [result.outcome for result in write_sidecars(rejected(picture))] == ["written"]
    rated(picture, 'xmp:Rating="-1" xmp:Label="Red"')  # a program that stores what the sidecar says
    assert [result.outcome for result in write_sidecars(rejected(picture))] == ["unchanged"]
    rated(picture, 'xmp:Rating="5"')
    assert [result.outcome for result in write_sidecars(rejected(picture))] == ["kept"]


@pytest.mark.parametrize(("naming", "other"), [("appended", "replaced"), ("replaced", "appended")])
def test_a_rating_in_the_other_kind_of_sidecar_is_kept(tmp_path: Path, naming: Naming, other: Naming) -> None:
    picture = rated(tmp_path / "a.jpg", "")
    sidecar_of(picture, other).write_text(OTHER_PROGRAM.format(rating='xmp:Rating="5"'), encoding="utf-8")
    assert [result.outcome for result in write_sidecars(rejected(picture), naming=naming)] == ["kept"]
    assert not sidecar_of(picture, naming).exists()


@pytest.mark.parametrize("turn", [1, -1])
def test_pictures_that_share_a_sidecar_get_the_better_decision(tmp_path: Path, turn: int) -> None:
    scores = {"a.jpg": 61.0, "a.png": 44.0, "b.jpg": 20.0}
    for name in scores:
        rated(tmp_path / name, "")
    records = [ImageRecord(str(tmp_path / name), score) for name, score in scores.items()][::turn]
    decisions = decide(records, CullRule(below=50))
    results = {each.picture.name: each.outcome for each in write_sidecars(decisions, stars=True, naming="replaced")}
    assert results == {"a.jpg": "written", "a.png": "shared", "b.jpg": "written"}
    assert (read_rating(tmp_path / "a.xmp"), read_rating(tmp_path / "b.xmp")) == (4, -1)
    again = {each.picture.name: each.outcome for each in write_sidecars(decisions, stars=True, naming="replaced")}
    assert again == {"a.jpg": "unchanged", "a.png": "shared", "b.jpg": "unchanged"}


def test_a_dry_run_writes_nothing_and_a_broken_sidecar_stops_nothing(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jpg"):
        Image.new("RGB", (8, 8)).save(tmp_path / name)
    (tmp_path / "a.jpg.xmp").write_text("broken")
    decisions = decide([ImageRecord(str(tmp_path / name), 10.0) for name in ("a.jpg", "b.jpg")], CullRule(below=50))
    results = list(write_sidecars(decisions, dry=True))
    assert [result.outcome for result in results] == [None, "written"]
    assert "a.jpg.xmp" in results[0].problem
    assert not (tmp_path / "b.jpg.xmp").exists()


def test_a_sidecar_that_is_a_link_to_where_nothing_is_seen_stays_as_it_is(tmp_path: Path) -> None:
    sidecar = tmp_path / "a.jpg.xmp"
    sidecar.symlink_to(tmp_path / "an-unmounted-disk" / "a.jpg.xmp")
    with pytest.raises(SettingError, match="not a sidecar file"):
        write_mark(sidecar, Mark(3, None))
    assert sidecar.is_symlink()


def test_a_sidecar_that_is_a_link_is_written_where_it_leads(tmp_path: Path) -> None:
    (tmp_path / "synced").mkdir()
    file = flooded(tmp_path / "synced" / "a.xmp", packet("").replace(b'xmp:Rating="4"', b""))
    sidecar = tmp_path / "a.jpg.xmp"
    sidecar.symlink_to(file)
    assert write_mark(sidecar, Mark(3, None)) == "written"
    assert sidecar.is_symlink()
    assert read_rating(file) == 3


def test_nothing_is_written_beside_a_picture_that_is_gone(tmp_path: Path) -> None:
    decisions = decide([ImageRecord(str(tmp_path / "card" / "a.jpg"), 10.0)], CullRule(below=50))
    (result,) = write_sidecars(decisions)
    assert (result.outcome, "not there any more" in result.problem) == (None, True)
    assert not (tmp_path / "card").exists()


def test_a_namespace_of_odd_letters_is_written_again_or_refused(tmp_path: Path) -> None:
    blank = flooded(tmp_path / "blank.xmp", packet('<a:b xmlns:a="urn: with blanks"/>'))
    assert write_mark(blank, Mark(3, None), overwrite=True) == "written"
    assert ET.parse(blank).find(".//{urn: with blanks}b") is not None
    brace = flooded(tmp_path / "brace.xmp", packet('<a:b xmlns:a="urn:}"/>'))
    with pytest.raises(SettingError, match="not a sidecar file"):
        write_mark(brace, Mark(3, None), overwrite=True)


def test_carriage_returns_of_a_caption_are_kept(tmp_path: Path) -> None:
    caption = "<dc:d xmlns:dc='urn:dc' dc:e='1&#13;&#10;2'>one&#13;\ntwo&#xD;\nthree</dc:d>"
    file = flooded(tmp_path / "a.xmp", packet(caption).replace(b'xmp:Rating="4"', b""))
    assert write_mark(file, Mark(3, None)) == "written"
    found = ET.parse(file).find(".//{urn:dc}d")
    assert found is not None
    assert (found.text, found.get("{urn:dc}e")) == ("one\r\ntwo\r\nthree", "1\r\n2")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "iso-8859-1"])
def test_entities_of_a_packet_are_not_expanded_in_any_encoding(tmp_path: Path, encoding: str) -> None:
    entity = f'<!DOCTYPE a [<!ENTITY b "{"c" * 10_000}">]>'
    start = f'<?xml version="1.0" encoding="{encoding.removesuffix("-le")}"?>'
    rating = packet("").decode().replace("</rdf:D", f"<xmp:Label>{'&b;' * 1_000}</xmp:Label></rdf:D")
    content = f"{start}{entity}{rating}".encode(encoding)
    tags = ImageFileDirectory_v2()
    tags[700] = content
    Image.new("RGB", (8, 8)).save(tmp_path / "a.tif", tiffinfo=tags)
    assert embedded_mark(tmp_path / "a.tif").properties == {}
    with pytest.raises(SettingError, match=r"declares a document type|is not text in UTF-8"):
        read_packet(content, "a.xmp")


def test_a_packet_in_two_bytes_a_letter_is_read(tmp_path: Path) -> None:
    tags = ImageFileDirectory_v2()
    tags[700] = packet("").decode().encode("utf-16")
    Image.new("RGB", (8, 8)).save(tmp_path / "a.tif", tiffinfo=tags)
    assert embedded_mark(tmp_path / "a.tif").properties == {"Rating": "4"}


def packet(inside: str) -> bytes:
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="4">{inside}</rdf:Description>'
        "</rdf:RDF></x:xmpmeta>"
    ).encode()


FLOODS = {
    "more than 1,000 namespaces": packet("".join(f'<b xmlns:p{n}="{n}"/>' for n in range(40_000))),
    "more than 200 elements within each other": packet("<a>" * 300_000 + "</a>" * 300_000),
    "more than 500,000 elements": packet("<a/>" * 600_000),
    "more than 500 characters in the address of a namespace": packet(
        f'<b xmlns:p="{"u" * 8_000_000}">' + "".join(f"<p:a{n}/>" for n in range(300)) + "</b>"
    ),
    "more than 64,000,000 characters in names": packet(
        f'<b xmlns="{"u" * 499}">' + "".join(f"<a{n}/>" for n in range(200_000)) + "</b>"
    ),
    "larger than 16 MB": packet("a" * 17_000_000),
}


@pytest.mark.parametrize("said", FLOODS)
def test_a_packet_that_floods_is_refused_at_once_and_a_rating_before_it_counts(tmp_path: Path, said: str) -> None:
    began = time.process_time()
    with pytest.raises(SettingError, match=said.replace("larger than 16 MB", "too large")):
        write_mark(flooded(tmp_path / "a.jpg.xmp", FLOODS[said]), Mark(2, "Red"))
    with pytest.raises(SettingError, match=f"^a.xmp (has|is) {said}"):
        read_packet(FLOODS[said], "a.xmp")
    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", FLOODS[said].decode(), zip=True)
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png", pnginfo=info)
    assert embedded_mark(tmp_path / "a.png").properties == {"Rating": "4"}, "it stands before the flood"
    assert time.process_time() - began < 10


@pytest.mark.parametrize("suffix", ["tif", "png", "webp", "jxl"])
def test_a_rating_before_an_endless_history_is_a_persons(tmp_path: Path, suffix: str) -> None:
    history = "<rdf:Bag>" + "<rdf:li>xmp.did:0123456789ABCDEF0123456789ABCDEF</rdf:li>" * 330_000 + "</rdf:Bag>"
    content = packet(history)
    assert len(content) > MAX_BYTES
    image, picture = Image.new("RGB", (64, 48)), tmp_path / f"a.{suffix}"
    if suffix == "png":
        info = PngInfo()
        info.add_itxt("XML:com.adobe.xmp", content.decode(), zip=True)
        image.save(picture, pnginfo=info)
    elif suffix == "tif":
        tags = ImageFileDirectory_v2()
        tags[700] = content
        image.save(picture, tiffinfo=tags)
    else:
        if suffix == "jxl":
            pytest.importorskip("pillow_jxl")
        image.save(picture, xmp=content)
    assert embedded_mark(picture).properties == {"Rating": "4"}
    decisions = decide([ImageRecord(str(picture), 10.0)], CullRule(below=50))
    assert [result.outcome for result in write_sidecars(decisions)] == ["kept"]


@pytest.mark.parametrize("damage", ["<a", "<a></b>", "\0", "&nothing;"])
def test_a_rating_before_damage_counts_in_a_picture(tmp_path: Path, damage: str) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.jpg", xmp=packet(damage))
    assert embedded_mark(tmp_path / "a.jpg").properties == {"Rating": "4"}


def flooded(file: Path, content: bytes) -> Path:
    file.write_bytes(content)
    return file


def test_a_long_history_is_kept_and_its_rating_read(tmp_path: Path) -> None:
    history = "<rdf:Bag>" + "<rdf:li>xmp.did:ABCDEF</rdf:li>" * 100_000 + "</rdf:Bag>"
    file = flooded(tmp_path / "a.xmp", packet(history).replace(b'xmp:Rating="4"', b'xmp:Rating="0"'))
    assert write_mark(file, Mark(3, None)) == "written"
    assert file.read_text().count("xmp.did:ABCDEF") == 100_000
    assert read_rating(file) == 3


def test_prefixes_of_one_sidecar_are_not_those_of_the_process(tmp_path: Path) -> None:
    file = flooded(tmp_path / "a.xmp", packet('<zzz:b xmlns:zzz="urn:zzz"/><xmp:c xmlns:xmp="urn:other"/>'))
    assert write_mark(file, Mark(3, None), overwrite=True) == "written"
    text = file.read_text()
    assert 'xmlns:zzz="urn:zzz"' in text
    assert ET.fromstring(text).find(".//{urn:other}c") is not None
    assert b"zzz:" not in ET.tostring(ET.Element("{urn:zzz}b"))


def labelled_in_darktable(sidecar: Path, *colours: int) -> None:
    """Give labels as darktable does: as numbers in an element of its own, after which it leaves xmp:Label as it was."""
    text = sidecar.read_text() if sidecar.exists() else OTHER_PROGRAM.format(rating="")
    items = "".join(f"<rdf:li>{colour}</rdf:li>" for colour in colours)
    labels = f'<d:colorlabels xmlns:d="http://darktable.sf.net/"><rdf:Seq>{items}</rdf:Seq></d:colorlabels>'
    description = text.index("<rdf:Description")
    end = text.index(">", description)
    if text[end - 1] == "/":
        text = f"{text[: end - 1]}>{labels}</rdf:Description>{text[end + 1 :]}"
    else:
        text = f"{text[: end + 1]}{labels}{text[end + 1 :]}"
    sidecar.write_text(text)


def test_a_label_that_a_person_gave_in_darktable_is_kept(tmp_path: Path) -> None:
    picture = rated(tmp_path / "a.jpg", "")
    sidecar = sidecar_of(picture)
    labelled_in_darktable(sidecar, 3)
    before = sidecar.read_text()
    assert [result.outcome for result in write_sidecars(rejected(picture))] == ["kept"]
    assert sidecar.read_text() == before
    labelled_in_darktable(sidecar_of(picture, "replaced"), 3)
    sidecar.unlink()
    assert [result.outcome for result in write_sidecars(rejected(picture))] == ["kept"]
    assert [result.outcome for result in write_sidecars(rejected(picture), overwrite=True)] == ["written"]
    assert 'xmp:Label="Red"' in sidecar.read_text()


def test_no_label_in_darktable_is_none_of_a_persons(tmp_path: Path) -> None:
    picture = rated(tmp_path / "a.jpg", "")
    labelled_in_darktable(sidecar_of(picture))
    assert [result.outcome for result in write_sidecars(rejected(picture))] == ["written"]


@pytest.mark.parametrize("drops", [False, True], ids=["xmp:Label stays", "xmp:Label is dropped"])
def test_darktables_copy_of_a_label_that_shamisa_gave_is_no_persons(tmp_path: Path, drops: bool) -> None:
    picture = rated(tmp_path / "a.jpg", "")
    sidecar = sidecar_of(picture)
    list(write_sidecars(rejected(picture)))
    if drops:
        sidecar.write_text(sidecar.read_text().replace('xmp:Label="Red"', ""))
    labelled_in_darktable(sidecar, 0)
    assert [result.outcome for result in write_sidecars(decided(picture, below=5))] == ["written"]
    assert 'xmp:Label="Green"' in sidecar.read_text()
    assert [result.outcome for result in write_sidecars(rejected(picture))] == [
        "written"
    ]  # nothing of the copy is left
    labelled_in_darktable(sidecar, 0, 4)  # and now a person's
    assert [result.outcome for result in write_sidecars(decided(picture, below=5))] == ["kept"]


@pytest.mark.parametrize("beside", ['xmp:Rating="3"', "damaged"])
def test_ratings_of_another_version_of_a_picture_are_not_its_own(tmp_path: Path, beside: str) -> None:
    picture = rated(tmp_path / "a.jpg", "")
    (tmp_path / "a_01.jpg.xmp").write_text("no xml" if beside == "damaged" else OTHER_PROGRAM.format(rating=beside))
    assert [result.outcome for result in write_sidecars(rejected(picture))] == ["written"]

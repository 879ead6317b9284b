"""Why a file is not taken, and what to do about it, in words for whoever brought it."""

from typing import Any

from django.utils.translation import gettext_lazy as _

REASONS: dict[str, Any] = {
    "required": _("Choose a file."),
    "empty": _("The file is empty."),
    "unsupported_type": _("Files of this kind are not taken. Save it as a PDF, or as a picture."),
    "archive": _("Archives are not taken. Unpack it and add the files one by one."),
    "old_office": _(
        "Office files of the old kind, or with a password, are not taken. Save it without a password as .docx, .xlsx or PDF."
    ),
    "password": _("The file is protected by a password. Save it without one."),
    "program": _("Programs and scripts are not taken."),
    "virus": _("This is the test file for virus scanners."),
    "dicom": _("DICOM images belong into the image archive. Add the report as a PDF."),
    "markup": _("Web pages, SVG and XML are not taken. Print it to a PDF."),
    "not_utf8": _("The text is not UTF-8. Save it as UTF-8, or as a PDF."),
    "animated": _("Moving pictures are not taken. Save one picture of it."),
    "too_many_pixels": _("The picture has more than 50 million pixels. Make it smaller."),
    "too_large_anew": _("Without its hidden parts the picture would be larger than 16 MB. Make it smaller, or save it as a PDF."),
    "too_many_pages": _("The picture has more than 100 pages. Save it as a PDF."),
    "unreadable": _("The file is damaged or incomplete. Open it in the program it was made with and save it again."),
    "polyglot": _("Something that does not belong to it is hidden in the file. Save it again, or print it to a PDF."),
    "active_pdf": _("The PDF holds a script or an action that starts by itself. Print it to a new PDF."),
    "embedded_files": _("Other files are embedded in this one. Print it to a PDF, and add the other files one by one."),
    "active_office": _("The document holds macros or controls. Save it without them, or as a PDF."),
    "reaches_out": _("The document loads something from elsewhere. Save it as a PDF."),
    "bomb": _("Unpacked, the file would be far too large. Save it as a PDF."),
    "too_complex": _("The file is too complicated to be checked. Print it to a PDF."),
}

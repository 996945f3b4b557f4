"""Join an HTML page, its stylesheets and its JavaScript modules into one document.

One answer is one version of the page, and platforms that count requests, or start an instance for each, see one.
"""

import re
from collections.abc import Callable, Iterator

__all__ = ["bundle"]

_STYLESHEET = re.compile(r'<link rel="stylesheet" href="([\w-]+\.css)">')
_SCRIPT = re.compile(r'<script type="module" src="([\w-]+\.js)"></script>')
_ELSEWHERE = re.compile(r'<link\b[^>]*\brel="?stylesheet\b|<script\b[^>]*\bsrc\b', re.IGNORECASE)
_IMPORT = re.compile(r'import \{ ([\w$]+(?:, [\w$]+)*) \} from "\./([\w-]+\.js)";')
_OTHER_IMPORT = re.compile(r"\s*import\b|.*\bimport\(")
_EXPORT = re.compile(r"export (?:(?:async )?function\*?|const|class) ([\w$]+)")
_COMMENT = re.compile(r"^[ \t]*(?://[^\n]*|/\*\*(?:(?!\*/).)*\*/)\n", re.MULTILINE | re.DOTALL)
# Behind code. No text or pattern can be taken for one, because what would end it is not in it.
_REMARK = re.compile(r"(?<=[;,{(]) // [^\n\"'`/]*$", re.MULTILINE)
_INDENTATION = re.compile(r"^\s+", re.MULTILINE)  # and lines that have nothing else
_OTHER_EXPORT = re.compile(r"\s*export\s*(?:[{*]|(?:default|async|function|const|let|var|class)\b)")


def bundle(name: str, read: Callable[[str], str]) -> str:
    """Return a page with the contents of its stylesheets and of its script in place of the links to them.

    The script's module and those that it imports become one module, in which each is a function, called after those
    that it imports. No two of them may export the same name, and they may use only
    `import { a, b } from "./name.js";`, on lines of their own, and `export` at the beginning of a declaration.

    Indentation, empty lines and comments are left out, but for comments behind code that have a quotation mark or a
    slash. So that they can be told from texts, a text may not have several lines.

    Args:
        name: The page's file name.
        read: Returns the text of a file of the page's folder.

    Raises:
        ValueError: A file has something else.
    """

    def style(link: "re.Match[str]") -> str:
        return f"<style>\n{_checked(link[1], read(link[1]), '</style')}</style>"

    def script(link: "re.Match[str]") -> str:
        return f'<script type="module">\n{_joined(link[1], read)}</script>'

    html = read(name)
    links = _STYLESHEET.sub("", _SCRIPT.sub("", html))
    if other := _ELSEWHERE.search(links):
        raise ValueError(
            f'{name}: {other[0]!r} is not supported; write <link rel="stylesheet" href="NAME.css"> '
            'or <script type="module" src="NAME.js"></script>'
        )
    if len(_SCRIPT.findall(html)) > 1:
        raise ValueError(f"{name}: has more than one script; import the others from the first")
    return _STYLESHEET.sub(style, _SCRIPT.sub(script, html))


def _joined(main: str, read: Callable[[str], str]) -> str:
    """Return one module in place of a module and those that it imports."""
    exported: dict[str, list[str]] = {}
    exporters: dict[str, str] = {}  # the module of each name
    codes = []

    def add(name: str, importers: tuple[str, ...]) -> None:
        if name in importers:
            raise ValueError(f"{' imports '.join((*importers[importers.index(name) :], name))}; break the circle")
        if name in exported:
            return
        code, imports = _split(name, _checked(name, read(name), "</script", "<!--"))
        for place, names, source in imports:
            add(source, (*importers, name))
            if unknown := names - set(exported[source]):
                raise ValueError(f"{place}: {source} does not export {', '.join(sorted(unknown))}")
        exported[name] = []
        for place, own in _exports(name, code):
            if exporters.setdefault(own, name) != name:
                raise ValueError(f"{place}: {own} is exported by {exporters[own]}, too; rename one of them")
            exported[name].append(own)
        body = "".join(line.removeprefix("export ") if _EXPORT.match(line) else line for line in code)
        body = _INDENTATION.sub("", _COMMENT.sub("", _REMARK.sub("", body)))
        if importers:
            listed = ", ".join(exported[name])
            body = f"const {{ {listed} }} = (() => {{\n{body}return {{ {listed} }};\n}})();\n"
        codes.append(body)

    add(main, ())
    return "".join(codes)


def _split(name: str, text: str) -> tuple[list[str], list[tuple[str, set[str], str]]]:
    """Return a module's lines, those of imports being empty, and of each import its place, the names and the module."""
    lines = text.splitlines(keepends=True)
    imports = []
    for index, line in enumerate(lines):
        if found := _IMPORT.fullmatch(line.rstrip("\n")):
            imports.append((f"{name}:{index + 1}", set(found[1].split(", ")), found[2]))
            lines[index] = "\n"
        elif _OTHER_IMPORT.match(line):
            raise ValueError(
                f"{name}:{index + 1}: {line.strip()!r} is not supported; "
                'write import { a, b } from "./name.js"; on a line of its own'
            )
        elif line.count("`") % 2:
            raise ValueError(f"{name}:{index + 1}: a text of several lines is not supported; join several texts")
    return lines, imports


def _exports(name: str, lines: list[str]) -> Iterator[tuple[str, str]]:
    """Yield the place and the name of each thing that a module exports."""
    for number, line in enumerate(lines, 1):
        place = f"{name}:{number}"
        if found := _EXPORT.match(line):
            yield place, found[1]
        elif _OTHER_EXPORT.match(line):
            raise ValueError(
                f"{place}: {line.strip()!r} is not supported; write export before a function, const or class"
            )


def _checked(name: str, text: str, *forbidden: str) -> str:
    """Return a text that ends with a line break, and does not end the element that it will be in."""
    for part in forbidden:
        if part in text.lower():
            raise ValueError(f"{name}: has {part!r}, which would end or hide the rest of the element; split it")
    return text if text.endswith("\n") else f"{text}\n"

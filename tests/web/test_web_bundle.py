"""One document in place of a page, its stylesheets and its modules."""

import re
from pathlib import Path

import pytest

import ppocr_serving.web
from ppocr_serving.web.bundle import bundle

FOLDER = Path(ppocr_serving.web.__file__).with_name("page")
PAGE = '<!doctype html>\n<link rel="stylesheet" href="a.css">\n<script type="module" src="main.js"></script>\n'


def bundled(html: str = PAGE, /, **files: str) -> str:
    texts = {
        "page": html,
        "a.css": "p { color: red }",
        **{name.replace("_", "."): text for name, text in files.items()},
    }
    return bundle("page", texts.__getitem__)


def script(**files: str) -> str:
    (code,) = re.findall(r'<script type="module">\n(.*?)</script>', bundled(**files), re.DOTALL)
    assert isinstance(code, str)
    return code


def test_the_contents_are_in_place_of_the_links() -> None:
    assert bundled(main_js="run();\n") == (
        '<!doctype html>\n<style>\np { color: red }\n</style>\n<script type="module">\nrun();\n</script>\n'
    )


def test_indentation_empty_lines_and_comments_are_left_out() -> None:
    code = script(main_js='// One.\n/** Two. */\nrun("// three"); // four\n\n  /**\n   * Five.\n   */\n  stop();\n')
    assert code == 'run("// three");\nstop();\n'


@pytest.mark.parametrize(
    "code", ['run("a; // b");', "run(`a, // b`, 1);", "run(/{ // [/]/);", 'run(); // "', "/** a */ run();\n/* b */"]
)
def test_what_may_be_no_comment_is_kept(code: str) -> None:
    assert script(main_js=f"{code}\nstop();\n") == f"{code}\nstop();\n"


def test_each_module_is_there_once_after_those_that_it_imports() -> None:
    code = script(
        main_js='import { left } from "./left.js";\nimport { right, top } from "./right.js";\nleft(right, top);\n',
        left_js='// Left.\nimport { base } from "./base.js";\n\nexport async function left() { return base; }\n',
        right_js='import { base } from "./base.js";\nexport const right = base;\nexport class top {}\n',
        base_js="export const base = 1;\nfunction* own() {}",
    )
    lines = [line for line in code.splitlines() if line]
    assert lines == [
        "const { base } = (() => {",
        "const base = 1;",
        "function* own() {}",
        "return { base };",
        "})();",
        "const { left } = (() => {",
        "async function left() { return base; }",
        "return { left };",
        "})();",
        "const { right, top } = (() => {",
        "const right = base;",
        "class top {}",
        "return { right, top };",
        "})();",
        "left(right, top);",
    ]


def test_texts_may_look_like_other_languages() -> None:
    example = 'const python = ["import requests", "    export = 1", `// none`].join("");\n'
    assert script(main_js=example) == example


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"main_js": 'import { a } from "./b.js";\n', "b_js": "const a = 1;\n"}, "main.js:1: b.js does not export a"),
        ({"main_js": "x;\n", "a_css": "p::after { content: '</STYLE>' }"}, "a.css: has '</style'"),
        ({"main_js": "x = '</script>';\n"}, "main.js: has '</script'"),
        ({"main_js": "x = '<!--';\n"}, "main.js: has '<!--'"),
        (
            {
                "main_js": 'import { a } from "./b.js";\n',
                "b_js": 'import { c } from "./c.js";\nexport const a = 1;\n',
                "c_js": 'import { a } from "./b.js";\nexport const c = 1;\n',
            },
            "b.js imports c.js imports b.js; break the circle",
        ),
        (
            {"main_js": 'import { a } from "./b.js";\n\nexport class a {}\n', "b_js": "export const a = 1;\n"},
            "main.js:3: a is exported by b.js, too",
        ),
        *(
            ({"main_js": f"run();\n{line}\n", "b_js": "export const a = 1;\n"}, "main.js:2: .*is not supported")
            for line in (
                'import a from "./b.js";',
                'import * as b from "./b.js";',
                'import "./b.js";',
                'import { a as b } from "./b.js";',
                'import { a } from "b";',
                "import { a } from './b.js'",
                'const b = await import("./b.js");',
                "const text = `two",
                "import {",
                "export default a;",
                "export { a };",
                'export * from "./b.js";',
                "  export const a = 1;",
                "export const { a } = b;",
                "export let a;",
            )
        ),
    ],
)
def test_what_is_not_supported_is_an_error_of_its_place(files: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        bundled(**files)


@pytest.mark.parametrize(
    "element",
    [
        '<script src="main.js"></script>',
        '<script defer type="module" src="main.js"></script>',
        '<link href="a.css" rel="stylesheet">',
        '<link rel="stylesheet" href="../a.css">',
        '<script type="module" src="main.js"></script><script type="module" src="main.js"></script>',
    ],
)
def test_links_of_another_form_are_errors(element: str) -> None:
    with pytest.raises(ValueError, match=r"^page: "):
        bundled(element, main_js="x;\n")


def test_the_page_uses_each_of_its_files() -> None:
    read = []

    def text_of(name: str) -> str:
        read.append(name)
        return (FOLDER / name).read_text(encoding="utf-8")

    assert len(bundle("index.html", text_of).encode()) < 120_000
    assert sorted(read) == sorted(path.name for path in FOLDER.iterdir() if path.is_file())

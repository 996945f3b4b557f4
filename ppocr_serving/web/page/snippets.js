// Programs that ask the server for what the page asks for.

import { knownKey } from "./memory.js";
import { choices } from "./options.js";
import { addressOf } from "./server.js";

/** Return programs for a file and the options that are chosen, each with the name of its language. */
export function snippets(file, page) {
  const name = file?.name ?? "picture.png";
  const chosen = choices();
  if (chosen.password) chosen.password = "PASSWORD";
  if (page?.region) {
    chosen.region = page.region.join(",");
    if (!file.isShown) chosen.pages = String(page.data.number);
  }
  const request = { name, options: Object.entries(chosen), url: addressOf("v1/read"), hasKey: knownKey() !== "" };
  return [
    { name: "curl", code: curl(request) },
    { name: "Python", code: python(request) },
    { name: "JavaScript", code: javascript(request) },
  ];
}

/** Quote a text for a POSIX shell. */
function quoted(text) {
  return /^[\w.,:/@=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

function curl({ name, options, url, hasKey }) {
  // In curl's own quotes, because a name may have its separators: , and ;
  const file = `file=@"${name.replace(/["\\]/g, "\\$&")}"`;
  const parts = [
    ...(hasKey ? ['-H "Authorization: Bearer $PPOCR_API_KEY"'] : []),
    `-F ${quoted(file)}`,
    ...options.map(([option, value]) => `--form-string ${quoted(`${option}=${value}`)}`),
    quoted(url),
  ];
  return `curl ${parts.join(" \\\n  ")}`;
}

function python({ name, options, url, hasKey }) {
  const data = options.map(([option, value]) => `${JSON.stringify(option)}: ${JSON.stringify(value)}`).join(", ");
  return [
    ...(hasKey ? ["import os", ""] : []),
    "import requests",
    "",
    `with open(${JSON.stringify(name)}, "rb") as file:`,
    "    answer = requests.post(",
    `        ${JSON.stringify(url)},`,
    '        files={"file": file},',
    `        data={${data}},`,
    ...(hasKey ? ['        headers={"Authorization": f"Bearer {os.environ[\'PPOCR_API_KEY\']}"},'] : []),
    "        timeout=600,",
    "    )",
    "answer.raise_for_status()",
    'for page in answer.json()["documents"][0]["pages"]:',
    '    for paragraph in page["paragraphs"]:',
    '        for line in paragraph["lines"]:',
    '            print(line["text"])',
    "",
  ].join("\n");
}

function javascript({ name, options, url, hasKey }) {
  const file = JSON.stringify(name);
  return [
    'import { readFile } from "node:fs/promises";',
    "",
    "const form = new FormData();",
    `form.append("file", new Blob([await readFile(${file})]), ${file});`,
    ...options.map(([option, value]) => `form.append(${JSON.stringify(option)}, ${JSON.stringify(value)});`),
    `const answer = await fetch(${JSON.stringify(url)}, {`,
    '  method: "POST",',
    "  body: form,",
    ...(hasKey ? ["  headers: { Authorization: `Bearer ${process.env.PPOCR_API_KEY}` },"] : []),
    "});",
    "if (!answer.ok) throw new Error(await answer.text());",
    "for (const page of (await answer.json()).documents[0].pages) {",
    "  for (const paragraph of page.paragraphs) {",
    "    for (const line of paragraph.lines) console.log(line.text);",
    "  }",
    "}",
    "",
  ].join("\n");
}

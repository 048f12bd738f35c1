"""Writes lib/data/tokenizer/unicode-tables.ts: where Hugging Face's Rust tokenizers know fewer characters than JavaScript, and
what the classes of their patterns hold.

    python test/parity/make_unicode_tables.py     (needs the package `tokenizers` and Node 20 or newer)

Their tables are of older Unicode versions than those of an engine. Every character is asked of both, one by one.
"""

import json
import subprocess
import tempfile
from pathlib import Path

import tokenizers
from tokenizers import Regex, normalizers, pre_tokenizers

ROOT = Path(__file__).resolve().parents[2]
FORMS = ["NFC", "NFD", "NFKC", "NFKD"]
# Before, behind and among marks of a low and a high combining class, which tells characters that move.
CONTEXTS = ["{}", "{}\u0334", "\u0345{}", "a{}\u0301"]

IN_NODE = """
const [python, out] = process.argv.slice(1)
const fs = require('fs')
const { forms, words, letters, numbers } = JSON.parse(fs.readFileSync(python))
const contexts = %s
const newer = [], newerForms = []
for (let c = 0; c < 0x110000; c++) {
  if (c >= 0xd800 && c < 0xe000) continue
  const char = String.fromCodePoint(c)
  const known = [[words, /[\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\u200c\\u200d]/u], [letters, /\\p{L}/u], [numbers, /\\p{N}/u]]
  if (known.some(([all, pattern]) => pattern.test(char) && !all.includes(c))) newer.push(c)
  if (known.some(([all, pattern]) => !pattern.test(char) && all.includes(c))) throw new Error(c.toString(16))
  const differs = (form) => contexts.some((context, i) =>
    context.replace('{}', char).normalize(form) !== (forms[form][c]?.[i] ?? context.replace('{}', char)))
  if (Object.keys(forms).some(differs)) newerForms.push(c)
}
// What a newer character is composed of stays apart, too: its first part.
const firsts = newerForms.map((c) => String.fromCodePoint(c)).filter((char) => char.normalize('NFD') !== char && char.normalize('NFD').normalize('NFC') === char)
newerForms.push(...firsts.map((char) => char.normalize('NFD').codePointAt(0)))
newerForms.splice(0, newerForms.length, ...[...new Set(newerForms)].sort((a, b) => a - b))
fs.writeFileSync(out, JSON.stringify({ newer, newerForms, unicode: process.versions.unicode }))
"""


def all_characters():
    return [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]


def classes(code_points):
    """Ranges in the notation of a JavaScript character class under the u flag."""
    ranges = []
    for c in code_points:
        if ranges and ranges[-1][1] == c - 1:
            ranges[-1][1] = c
        else:
            ranges.append([c, c])
    name = lambda c: f"\\\\x{c:02x}" if c < 0x100 else f"\\\\u{c:04x}" if c < 0x10000 else f"\\\\u{{{c:x}}}"
    return "".join(name(a) if a == b else f"{name(a)}-{name(b)}" for a, b in ranges)


def source(name, comment, code_points):
    text, lines = classes(code_points), []
    while text:
        cut = 100 if len(text) > 100 else len(text)
        while cut < len(text) and text[cut] != "\\":
            cut -= 1
        # Never between the two backslashes of an escape.
        if cut < len(text) and text[cut - 1] == "\\":
            cut -= 1
        lines.append(text[:cut])
        text = text[cut:]
    body = " +\n".join(f"  '{line}'" for line in lines)
    return f"// {comment}\nexport const {name} =\n{body}\n"


def ask_python():
    letters, words = pre_tokenizers.ByteLevel(add_prefix_space=False), pre_tokenizers.Whitespace()
    pieces = lambda split, text: len(split.pre_tokenize_str(text))
    known = {
        "words": [c for c in all_characters() if words.pre_tokenize_str(f"a{chr(c)}") == [(f"a{chr(c)}", (0, 2))]],
        "letters": [c for c in all_characters() if pieces(letters, f"a{chr(c)}") == 1],
        "numbers": [c for c in all_characters() if pieces(letters, f"1{chr(c)}") == 1],
        "forms": {},
    }
    for form in FORMS:
        normalizer, changed = getattr(normalizers, form)(), {}
        for c in all_characters():
            texts = [context.format(chr(c)) for context in CONTEXTS]
            for i, text in enumerate(texts):
                normalized = normalizer.normalize_str(text)
                if normalized != text:
                    changed.setdefault(c, {})[i] = normalized
        known["forms"][form] = changed
    return known


def members(name):
    """Characters of a class of the patterns (Oniguruma)."""
    split = pre_tokenizers.Split(Regex(rf"\p{{{name}}}+"), "removed", invert=True)
    return [ord(c) for part, _ in split.pre_tokenize_str("".join(map(chr, all_characters()))) for c in part]


with tempfile.TemporaryDirectory() as folder:
    given, found = Path(folder, "python.json"), Path(folder, "node.json")
    given.write_text(json.dumps(ask_python()))
    script = IN_NODE % json.dumps(CONTEXTS)
    # A set is asked a million times.
    script = script.replace("const newer =", "for (const all of [words, letters, numbers]) { const set = new Set(all); all.includes = (c) => set.has(c) }\nconst newer =", 1)
    subprocess.run(["node", "-e", script, str(given), str(found)], check=True)
    node = json.loads(found.read_text())

strip = normalizers.StripAccents()
marks = [c for c in all_characters() if strip.normalize_str(f"a{chr(c)}") == "a"]
text = f"""/**
 * Made by test/parity/make_unicode_tables.py from tokenizers {tokenizers.__version__} and an engine of Unicode {node["unicode"]}; do not edit.
 * Ranges for a character class of a regular expression with the flag u.
 */

{source("newerCharacters", "Letters, digits or marks to the engine; nothing that a pattern knows there.", node["newer"])}
{source("newerForms", "Decomposed, composed or moved among marks otherwise than there, and what such a character is composed of.", node["newerForms"])}
{source("combiningMarks", "Removed by StripAccents.", marks)}
{source("letters", "The class L of a pattern.", members("L"))}
{source("numbers", "The class N of a pattern.", members("N"))}
{source("patternMarks", "The class M of a pattern.", members("M"))}
{source("whiteSpace", "White space of a pattern.", members("White_Space"))}"""
(ROOT / "lib/data/tokenizer/unicode-tables.ts").write_text(text)

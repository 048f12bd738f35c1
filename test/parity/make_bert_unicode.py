"""Writes lib/data/bert-unicode.ts: how Hugging Face's Rust tokenizers class every character, asked of them one by one.

    python test/parity/make_bert_unicode.py     (needs the package `tokenizers`)
"""

from pathlib import Path

import tokenizers
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

OFF = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
clean = BertNormalizer(**{**OFF, "clean_text": True})
accents = BertNormalizer(**{**OFF, "strip_accents": True})
split = BertPreTokenizer()


def is_hangul_syllable(c):
    return 0xAC00 <= c <= 0xD7A3


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


removed, marks, punctuation = [], [], []
for c in range(0x110000):
    if 0xD800 <= c < 0xE000:
        continue
    text = f"a{chr(c)}b"
    if clean.normalize_str(text) == "ab":
        removed.append(c)
    if accents.normalize_str(text) == "ab":
        marks.append(c)
    if len(split.pre_tokenize_str(text)) == 3:
        punctuation.append(c)

out = Path(__file__).resolve().parents[2] / "lib" / "data" / "bert-unicode.ts"
tables = [
    ("removed", "Removed by clean_text: NUL, U+FFFD, control, format, private use.", removed),
    ("nonspacingMarks", "Removed by strip_accents after decomposition.", marks),
    ("punctuation", "Words of their own.", punctuation),
]


def lines(text, width=100):
    """Breaks between escapes only."""
    pieces, line = [], ""
    for part in text.replace("\\\\", "\0\\\\").split("\0")[1:]:
        if len(line) + len(part) > width:
            pieces.append(line)
            line = ""
        line += part
    return pieces + [line]


source = f"""/**
 * Made by test/parity/make_bert_unicode.py from tokenizers {tokenizers.__version__}; do not edit.
 * Ranges for a character class of a regular expression with the flag u.
 */
"""
for name, comment, code_points in tables:
    body = " +\n".join(f"  '{line}'" for line in lines(classes(code_points)))
    source += f"\n// {comment}\nexport const {name} =\n{body}\n"
out.write_text(source)

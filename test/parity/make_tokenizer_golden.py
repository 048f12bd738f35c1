"""Makes the golden files of the tokenizer tests with Python's tokenizers.

    python test/parity/make_tokenizer_golden.py      (needs `transformers`; reads ../shared/models and ../shared/data)

golden/tokenizer/tiny.json        a small tokenizer.json: single characters and common words of all-MiniLM-L6-v2's vocabulary
golden/tokenizer/nasty.json       nasty texts with their ids in both tokenizers, and digests over all characters
golden/tokenizer/data.json        for every file of ../shared/data a digest of all its texts' ids
"""

import gzip
import hashlib
import json
import struct
import tempfile
from pathlib import Path

import tokenizers
import transformers

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared"
MODEL = SHARED / "models" / "all-MiniLM-L6-v2"
OUT = ROOT / "test" / "parity" / "golden" / "tokenizer"
VERSIONS = {"tokenizers": tokenizers.__version__, "transformers": transformers.__version__}

# Each text is a string, or [unit, times] for unit * times.
NASTY = [
    "", " ", "   \t\n\r ", "\u00a0", "\u2003\u3000", "\ufeff", "\u0012", "\x00", "\x00\x01\x7f\x80\x85\x9f", "\ufffd", "\u200b\u200d\u200e",
    "Hello, World!", "  leading and trailing  ", "tabs\tand\nnewlines\r\nhere", "no\u00a0break\u202fspace", "next\u0085line", "line\u2028and\u2029para",
    "a\ufeffb", "\ufeffstart", "a\u0012b", "a\u0000b", "zero\u200bwidth", "soft\u00adhyphen", "word\u2060joiner", "a\u180eb", "ogham\u1680space",
    "caf\u00e9 na\u00efve \u00c5ngstr\u00f6m", "cafe\u0301 e\u0323\u0302\u0301\u0300", "\u0301\u0302", "a\u0301\u0327 \u1ea5 \u1e69 \u0073\u0323\u0307",
    "\u0130stanbul \u0131 I i", "STRASSE stra\u00dfe \u1e9e", "\u039f\u0394\u039f\u03a3 \u03bf\u03b4\u03cc\u03c2 \u03a3 \u03a3\u03a3 \u0391\u03a3. \u0391\u03a3\u0301", "\u01c5 \u01c8 \ufb01 \ufb03 \u2126 \u212a \u212b",
    "\u0418\u0439 \u0419\u043e\u0434 \u0401\u0436 \u0457\u0407", "\u4e2d\u6587\u5b57\u7b26", "abc\u4e2d\u6587def", "\u65e5\u672c\u8a9e\u306e\u30c6\u30ad\u30b9\u30c8", "\u304c\u304b\u3099 \u30d1\u30cf\u309a", "\ud55c\uad6d\uc5b4 \ud14d\uc2a4\ud2b8", "\u1112\u1161\u11ab",
    "\U00020000\U0002a6df\U0002a6e0", "a\U00020001b", "\uf900\uf9ff \U0002f800", "\u3400\u4dbf\u4dc0", "\U0002b820\U0002b920", "\u3007\u3005\u3006",
    "\u05e9\u05dc\u05d5\u05dd \u05e2\u05b4\u05d1\u05b0\u05e8\u05b4\u05d9\u05ea", "\u0627\u0644\u0639\u064e\u0631\u064e\u0628\u0650\u064a\u0651\u0629 \u0622\u0623\u0625", "\u202eabc\u202c \u2067x\u2069", "\u0939\u093f\u0928\u094d\u0926\u0940 \u0915\u093c", "\u0e20\u0e32\u0e29\u0e32\u0e44\u0e17\u0e22\u0e19\u0e49\u0e33", "\u1019\u103c\u1014\u103a\u1019\u102c",
    "\U0001f600\U0001f603", "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466", "\U0001f1e9\U0001f1ea", "\U0001f44d\U0001f3fd ok\U0001f44d", "\u2764\ufe0f \u2764", "1\ufe0f\u20e3", "\U0001f3f4\U000e0067\U000e0062\U000e007f", "\U0001d400\U0001d401 \u24b6 \uff21\uff22\uff11",
    "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", "\u00a1\u00bf\u00ab\u00bb\u2018\u2019\u201c\u201d\u2026\u2014\u2013\u2022\u2020\u00a7\u00b6", "\u20ac\u00a3\u00a5\u20b9\u20bf \u00b0\u00b1\u00d7\u00f7\u2260 \u2192", "$5.00 & 50% of #1 a_b a^b a+b=c <x> `y` ~z |w|", "...!!!???", "don't can't won't it's", "''quoted'' \"\"double\"\"", "e-mail@example.com http://example.com/a?b=c&d=e#f", "C++ C# .NET a/b\\c", "1,234.56 1e10 0x1F 12:30 2026-11-22",
    "[CLS]", "[SEP] inside [SEP]", "a[MASK]b [mask] [PAD][UNK]", "[CLS]hello[SEP]", "[ CLS ]", "[UNK]\u00e9[MASK]", "##ing ##", "[unused1] [unused99]", "<s> </s> <unk> <|endoftext|>",
    "antidisestablishmentarianism pneumonoultramicroscopicsilicovolcanoconiosis", "x" * 99, "x" * 100, "x" * 101, "\u00e9" * 100, "\u00e9" * 101, "e\u0301" * 100, "\U00010400" * 100, "\U00010400" * 101,
    ["a", 10000], ["ab ", 10000], ["\u4e2d", 10000], ["\u0301", 10000], ["\U0001f600", 5000], [" ", 10000], [".", 10000], ["\u00e9", 10000], ["word, ", 400],
    "\u1d9c\u02b0\u2071 x\u00b2 H\u2082O \u00bd \u2153", "\u2160\u2171 \u3220 \u32c0 \u33a1", "\uff0c\u3002\uff01\uff1f\u3001\u300c\u300d", "\u061f\u060c\u061b \u066a", "\u0964\u0965 \u104a \u17d4 \u1362", "\u2e3a\u2e43 \u09fd \u0a76 \U00011a3f \U0001e95e", "\u1df6\u1dfb\u08d4\u08ca\u20f0", "\U000105c9\U00011938", "\u0890\u08e2\U00013430", "\ue000\uf8ff\U000f0000\U0010ffff", "\u0378\u0530 \ufdd0 \U0001ffff", "\u166d \U000111c9", "\u0345\u03b9 \u1f80 \u1fb3", "\u0340\u0341\u0344 \u0f77 \u0f79", "\u2fff \u2e80 \u2f00 \u31c0", "\u0600\u06dd\u070f \u110bd", "Tiếng Việt đẹp", "Zürich, Łódź, Køge, Þórr, ĳ, œ, ŉ",
]  # fmt: skip

# What the fuzzed texts are put together of.
FUZZ_PARTS = [
    " ", " ", " ", "  ", "\t", "\n", "\r\n", "\u00a0", "\u2003", "\u3000", "\u0085", "\u2028", "\x0b", "\x0c", "\x1c",
    "the", "The", "TOKEN", "ing", "un", "able", "a", "Z", "x", "42", "1999", "constructor", "__proto__", "antidisestablishment",
    ".", ",", "!", "'", "\"", "-", "_", "$", "<", ">", "[", "]", "(", "#", "##", "[SEP]", "[MASK]", "[mask]", "[UNK", "CLS]", "[PAD]",
    "\x00", "\x12", "\x7f", "\x9f", "\u00ad", "\u200b", "\u200d", "\ufeff", "\ufffd", "\ue000", "\U000e0067", "\u180e", "\ufe0f",
    "\u0301", "\u0327", "\u0323", "\u0338", "\u0345", "\u0344", "\u05b4", "\u064e", "\u3099", "\u20e3", "\u1dfb",
    "\u00e9", "\u00c5", "\u1e69", "\u0130", "\u0131", "\u00df", "\u1e9e", "\ufb01", "\u226e", "\u2260", "\u212a", "\u0390",
    "\u03a3", "\u03c3", "\u0391\u03a3", "\u0419", "\u0451", "\u05d0", "\u0627", "\u0929", "\u0e01\u0e33", "\u304c", "\u30d1", "\ud55c", "\u1112",
    "\u4e2d", "\u6587", "\uf900", "\U00020000", "\U0002f800", "\U00010400", "\U000105c9", "\U0001f600", "\U0001f44d\U0001f3fd", "\U0001d400",
    "\u2018", "\u201d", "\u2026", "\u2014", "\u00a1", "\u00b7", "\u3002", "\uff0c", "\uff1c", "\u0964", "\u20ac", "\u00b2", "\u0378", "\U0001ffff",
]  # fmt: skip


def fuzz(count):
    """Texts of up to 39 parts, chosen by a generator that the test repeats."""
    state = 1

    def draw(below):
        nonlocal state
        state = (state * 1664525 + 1013904223) % 2**32
        return (state >> 8) % below

    return ["".join(FUZZ_PARTS[draw(len(FUZZ_PARTS))] for _ in range(draw(40))) for _ in range(count)]


def expand(text):
    return text if isinstance(text, str) else text[0] * text[1]


def digest(rows):
    """SHA-256 over all ids, then all offsets, as little-endian int32."""
    offsets = [0]
    for row in rows:
        offsets.append(offsets[-1] + len(row))
    flat = [i for row in rows for i in row]
    sha = hashlib.sha256(struct.pack(f"<{len(flat)}i", *flat) + struct.pack(f"<{len(offsets)}i", *offsets))
    return {"texts": len(rows), "ids": len(flat), "sha256": sha.hexdigest()}


def encode(tokenizer, texts, length):
    return tokenizer(texts, truncation=True, max_length=length)["input_ids"] if texts else []


def load_tokenizer(tokenizer_json, config):
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "tokenizer.json").write_text(json.dumps(tokenizer_json))
        Path(folder, "tokenizer_config.json").write_text(json.dumps(config))
        return transformers.AutoTokenizer.from_pretrained(folder)


def make_tiny():
    full = json.loads((MODEL / "tokenizer.json").read_text())
    words = [w for w in full["model"]["vocab"] if not w.startswith("[unused")]
    short = [w for w in words if len(w.removeprefix("##")) == 1]
    common = [w for w in words if len(w) > 1 and w.isascii() and not w.startswith(("##", "["))][:300]
    endings = [w for w in words if w.startswith("##") and len(w) > 3 and w.isascii()][:100]
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    vocab = {w: i for i, w in enumerate(dict.fromkeys(special + short + common + endings))}
    full["truncation"] = {"max_length": 7, "strategy": "LongestFirst", "stride": 0, "direction": "Right"}
    full["model"]["vocab"] = vocab
    for token in full["added_tokens"]:
        token["id"] = vocab[token["content"]]
    for name, token in full["post_processor"]["special_tokens"].items():
        token["ids"] = [vocab[name]]
    return full


def all_characters():
    """Texts that hold every character of the first two planes between two letters."""
    texts = []
    for start in range(0, 0x20000, 64):
        if not 0xD800 <= start < 0xE000:
            texts.append(" ".join(f"a{chr(c)}b" for c in range(start, start + 64)))
    return texts


def texts_of(path):
    """Every string of a JSONL file, every field of a TSV file after its header, in file order."""
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    lines = data.decode("utf-8").split("\n")
    if lines[-1] == "":
        lines.pop()
    if ".tsv" in path.name:
        return [field for line in lines[1:] for field in line.split("\t")]
    return [v for line in lines for v in json.loads(line).values() if isinstance(v, str)]


def write(name, value):
    # ASCII escapes: no editor and no version control may touch these characters.
    lines = ",\n".join(f" {json.dumps(k)}: {dump(v)}" for k, v in value.items())
    (OUT / name).write_text("{\n" + lines + "\n}\n")


def dump(value):
    if isinstance(value, list):
        return "[\n" + ",\n".join("  " + json.dumps(v, separators=(",", ":")) for v in value) + "\n ]"
    return json.dumps(value)


OUT.mkdir(parents=True, exist_ok=True)
config = json.loads((MODEL / "tokenizer_config.json").read_text())
tiny_json = make_tiny()
(OUT / "tiny.json").write_text(json.dumps(tiny_json, separators=(",", ":")) + "\n")

real = transformers.AutoTokenizer.from_pretrained(MODEL)
tiny = load_tokenizer(tiny_json, config)
cased = load_tokenizer(tiny_json, {**config, "do_lower_case": False})
accents = load_tokenizer(tiny_json, {**config, "strip_accents": False})
chinese = load_tokenizer(tiny_json, {**config, "tokenize_chinese_chars": False})
texts = [expand(t) for t in NASTY]
characters = all_characters()
fuzzed = fuzz(20_000)
write(
    "nasty.json",
    {
        "versions": VERSIONS,
        "texts": NASTY,
        "maxLength": 256,
        "config": config,
        "tiny": encode(tiny, texts, 256),
        "real": encode(real, texts, 256),
        "tinyVariants": [
            {"config": {"do_lower_case": False}, **digest(encode(cased, texts, 512))},
            {"config": {"strip_accents": False}, **digest(encode(accents, texts, 512))},
            {"config": {"tokenize_chinese_chars": False}, **digest(encode(chinese, texts, 512))},
        ],
        "cuts": [encode(tiny, ["one two three four five six"], n)[0] for n in range(2, 9)],
        "characters": digest(encode(tiny, characters, 10**6)),
        "charactersWithAccents": digest(encode(accents, characters, 10**6)),
        "fuzzParts": FUZZ_PARTS,
        "fuzz": [
            {"config": {}, **digest(encode(tiny, fuzzed, 512))},
            {"config": {"do_lower_case": False}, **digest(encode(cased, fuzzed, 512))},
            {"config": {"strip_accents": False}, **digest(encode(accents, fuzzed, 512))},
            {"config": {"tokenize_chinese_chars": False}, **digest(encode(chinese, fuzzed, 512))},
        ],
    },
)

files = {}
for path in sorted((SHARED / "data").rglob("*")):
    if not path.name.endswith((".tsv", ".jsonl", ".jsonl.gz")):
        continue
    file_texts = texts_of(path)
    rows = encode(real, file_texts, 512)
    digests = {"256": digest([r if len(r) <= 256 else r[:255] + r[-1:] for r in rows])}
    assert digests["256"] == digest(encode(real, file_texts, 256))
    if max(map(len, rows)) > 256:
        digests["512"] = digest(rows)
    files[path.relative_to(SHARED / "data").as_posix()] = digests
write("data.json", {"versions": VERSIONS, **files})

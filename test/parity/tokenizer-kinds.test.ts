import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import test from 'ava'
import { PairTokenizer } from '../../lib/data/pairs.js'
import type { Block } from '../../lib/data/tokenizer/blocks.js'
import type { TokenizerFiles } from '../../lib/data/tokenizer/files.js'
import { makeNormalizer } from '../../lib/data/tokenizer/normalizers.js'
import { makePreTokenizer } from '../../lib/data/tokenizer/pre-tokenizers.js'
import { type Tokenized, Tokenizer } from '../../lib/data/tokenizer.js'
import { equal } from './report.js'

interface Golden {
  versions: object
  parts: string[]
  normalizers: { block: Block; sha256: string }[]
  preTokenizers: { block: Block; sha256: string }[]
  charsmaps: { name: string; sha256: string; base64?: string }[]
  cases: {
    long: string
    name: string
    files: TokenizerFiles & { maxLength?: number }
    first: number[][]
    sha256: string
    pairs: string
  }[]
}

const folder = new URL('../../../test/parity/golden/tokenizer/', import.meta.url)
const golden: Golden = JSON.parse(readFileSync(new URL('kinds.json', folder), 'utf8'))
const bigMap = gunzipSync(readFileSync(new URL('nmt_nfkc_cf.charsmap.gz', folder))).toString('base64')

/** As make_tokenizer_kinds.py makes them. */
function fuzzed(count: number): string[] {
  let state = 1
  const draw = (below: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return (state >>> 8) % below
  }
  const part = () => golden.parts[draw(golden.parts.length)]!
  return Array.from({ length: count }, () => Array.from({ length: draw(20) }, part).join(''))
}

function lines(starts: Iterable<number>, of: (char: string) => string): string[] {
  return Array.from(starts, (start) =>
    Array.from({ length: 64 }, (_, i) => of(String.fromCodePoint(start + i))).join(' '),
  )
}

function* range(from: number, to: number): Generator<number> {
  for (let start = from; start < to; start += 64) if (start < 0xd800 || start >= 0xe000) yield start
}

const texts = fuzzed(4000)
const characters = lines([...range(0, 0x33480), ...range(0xe0000, 0xe0200)], (char) => `a${char}b`)
const combinations = lines(range(0, 0x10000), (c) => `${c}\u0301 \u0600${c} k${c}\u1161 ${c}\u200d\uff9e`)

const long = [
  texts.join(' the '),
  'Quick (brown) foxes, größer than the lazy dogs. '.repeat(400),
  'the'.repeat(12_000),
  '\uff83\u0e19\u0e49'.repeat(6_000),
]

function sha256(rows: readonly (readonly (string | number)[])[]): string {
  const text = rows.map((row) => row.join('\x1f')).join('\x1e')
  return createHash('sha256').update(text).digest('hex')
}

function rowsOf({ ids, offsets }: Tokenized): number[][] {
  return Array.from({ length: offsets.length - 1 }, (_, i) => [...ids.subarray(offsets[i]!, offsets[i + 1]!)])
}

const shown = (block: Block) => JSON.stringify(block)

for (const { block, sha256: expected } of golden.normalizers) {
  test(`normaliser ${shown(block)}: all characters and odd texts as in Python`, (t) => {
    const normalize = makeNormalizer(block)
    t.is(sha256([...texts, ...characters].map((text) => [normalize(text)])), expected)
    equal('tokenizer-kinds', 'normalisers', texts.length + characters.length)
  })
}

for (const { block, sha256: expected } of golden.preTokenizers) {
  test(`pre-tokenizer ${shown(block)}: all characters and odd texts as in Python`, (t) => {
    const split = makePreTokenizer(block)
    // Empty texts never come so far.
    t.is(sha256([...texts, ...characters].map((text) => (text === '' ? [] : split(text, true)))), expected)
    equal('tokenizer-kinds', 'pre-tokenizers', texts.length + characters.length)
  })
}

for (const { name, base64, sha256: expected } of golden.charsmaps) {
  test(`charsmap ${name}: all characters, alone and in graphemes, and odd texts as in Python`, (t) => {
    const normalize = makeNormalizer({ type: 'Precompiled', precompiled_charsmap: base64 ?? bigMap })
    t.is(sha256([...texts, ...characters, ...combinations].map((text) => [normalize(text)])), expected)
    equal('tokenizer-kinds', 'charsmaps', texts.length + characters.length + combinations.length)
  })
}

for (const { name, files, first, sha256: expected, pairs, long: longExpected } of golden.cases) {
  test(`${name}: ids of odd texts as in Python`, async (t) => {
    const { maxLength = 512 } = files
    const withMap = JSON.parse(JSON.stringify(files).replace('"nmt_nfkc_cf"', JSON.stringify(bigMap)))
    const tokenizer = Tokenizer.from(withMap, { maxSeqLength: maxLength })
    const rows = rowsOf(tokenizer.encode(texts))
    t.deepEqual(rows.slice(0, first.length), first)
    t.is(sha256(rows), expected)
    const some = texts.slice(0, 200)
    const { ids, offsets, tokenTypes } = await new PairTokenizer(tokenizer).encode(
      some.map(() => 'the'),
      some,
      512,
    )
    const types = rowsOf({ ids: tokenTypes!, offsets })
    t.is(sha256(rowsOf({ ids, offsets }).map((row, i) => [...row, ...types[i]!])), pairs)
    const cut: number[][] = []
    for (const text of long) {
      for (const length of [64, 10 ** 6])
        cut.push([...(await tokenizer.encodeAll([text], length, { allowEmpty: true })).ids])
    }
    t.is(sha256(cut), longExpected, 'long texts, in parts or in a thread')
    await tokenizer.dispose()
    equal('tokenizer-kinds', 'kinds of tokenizers', texts.length)
  })
}

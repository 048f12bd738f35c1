import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import test from 'ava'
import { IdBuffer } from '../../lib/data/id-buffer.js'
import type { Block, TokenizerJson } from '../../lib/data/tokenizer/blocks.js'
import { fastEncoder } from '../../lib/data/tokenizer/fast.js'
import { makeNormalizer } from '../../lib/data/tokenizer/normalizers.js'
import { Pipeline } from '../../lib/data/tokenizer/pipeline.js'
import { makePreTokenizer } from '../../lib/data/tokenizer/pre-tokenizers.js'
import { type Tokenized, Tokenizer } from '../../lib/data/tokenizer.js'
import { equal } from './report.js'

interface Golden {
  parts: string[]
  long: [text: string, times: number][]
  patterns: { block: Block; sha256: string }[]
  kinds: {
    name: string
    json: object
    model: object
    tokens: string[]
    first: [text: string, ids: number[]][]
    sha256: string
    long: string
  }[]
}

const golden: Golden = JSON.parse(
  readFileSync(new URL('../../../test/parity/golden/tokenizer/byte-pairs.json', import.meta.url), 'utf8'),
)
const long = golden.long.map(([text, times]) => text.repeat(times))

/** As make_byte_pairs.py makes them. */
function fuzzed(count: number): string[] {
  let state = 1
  const draw = (below: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return (state >>> 8) % below
  }
  const part = () => golden.parts[draw(golden.parts.length)]!
  return Array.from({ length: count }, () => Array.from({ length: draw(20) }, part).join(''))
}

function* starts(): Generator<number> {
  for (let start = 0; start < 0x33480; start += 64) if (start < 0xd800 || start >= 0xe000) yield start
  for (let start = 0xe0000; start < 0xe0200; start += 64) yield start
}

function lines(separator: string, of: (char: string) => string): string[] {
  return Array.from(starts(), (start) =>
    Array.from({ length: 64 }, (_, i) => of(String.fromCodePoint(start + i))).join(separator),
  )
}

const texts = fuzzed(2000)
const characters = [...lines(' ', (c) => `a${c}b`), ...lines('', (c) => ` '${c}'r${c} ${c}1${c}\n`)]

function sha256(rows: readonly (readonly (string | number)[])[]): string {
  const text = rows.map((row) => row.join('\x1f')).join('\x1e')
  return createHash('sha256').update(text).digest('hex')
}

function rowsOf({ ids, offsets }: Tokenized): number[][] {
  return Array.from({ length: offsets.length - 1 }, (_, i) => [...ids.subarray(offsets[i]!, offsets[i + 1]!)])
}

for (const { block, sha256: expected } of golden.patterns) {
  test(`words of ${JSON.stringify(block.pattern)}: all characters and odd texts as in Python`, (t) => {
    const split = makePreTokenizer(block)
    t.is(sha256([...texts, ...characters].map((text) => split(text, true))), expected)
    equal('byte-pairs', 'patterns', texts.length + characters.length)
  })
}

const isFast = /roberta|gpt2|modernbert|qwen|llama|nfkc|few-bytes|prefix-suffix-bytes/

for (const { name, json, model, tokens, first, ...expected } of golden.kinds) {
  const vocab = Object.fromEntries(tokens.map((token, id) => [token, id]))
  const file = { ...json, model: { ...model, vocab } } as unknown as TokenizerJson
  const make = () =>
    Tokenizer.fromFiles(file, { tokenizer_class: 'PreTrainedTokenizerFast' }, { maxSeqLength: 10 ** 7 })

  test(`${name}: ids as in Python`, async (t) => {
    const tokenizer = make()
    const encode = (all: readonly string[]) => rowsOf(tokenizer.encode(all))
    t.deepEqual(
      encode(first.map(([text]) => text)),
      first.map(([, ids]) => ids),
    )
    t.is(sha256(encode(texts)), expected.sha256)
    t.is(sha256(encode(long)), expected.long)
    const inParts = await tokenizer.encodeAll(long, 10 ** 7, { allowEmpty: true })
    t.is(sha256(rowsOf(inParts)), expected.long, 'in parts or in a thread')
    await tokenizer.dispose()
    equal('byte-pairs', 'kinds of tokenizers', texts.length + long.length)
  })

  test(`${name}: the general way gives the same ids as the fast one`, (t) => {
    const normalize = makeNormalizer(file.normalizer)
    const fast = fastEncoder(file, normalize)
    t.is(fast !== undefined, isFast.test(name))
    if (!fast) return
    const general = new Pipeline(file, normalize)
    const between = new Pipeline(file, normalize, fast)
    const idsOf = (work: (ids: IdBuffer) => void) => {
      const ids = new IdBuffer(1)
      work(ids)
      return ids.from(0)
    }
    let taken = 0
    for (const text of [...texts, ...long]) {
      const all = idsOf((ids) => {
        for (const _ of general.append(text, ids, 10 ** 7));
      })
      const parts = idsOf((ids) => {
        for (const _ of between.append(text, ids, 10 ** 7));
      })
      t.deepEqual(parts, all, text.slice(0, 100))
      if (!fast.takes(text)) continue
      taken++
      t.deepEqual(
        idsOf((ids) => void fast.append(text, ids, 10 ** 7)),
        all,
        text.slice(0, 100),
      )
    }
    t.true(taken > 300, `it takes ${taken}`)
  })
}

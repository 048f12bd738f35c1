import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import test from 'ava'
import { PairTokenizer } from '../../lib/data/pairs.js'
import type { TokenizerFiles } from '../../lib/data/tokenizer/files.js'
import { type Tokenized, Tokenizer } from '../../lib/data/tokenizer.js'
import { tokenizerOfVocabulary } from '../../lib/models/vocab-file.js'
import { equal } from './report.js'

interface Folder extends Omit<TokenizerFiles, 'json'> {
  json?: object
  modelConfig?: { model_type: string }
  vocabTxt?: string
  vocabJson?: object
  merges?: string
}

interface Golden {
  shared: Record<string, unknown>
  cases: { name: string; files: Folder; first: number[][]; sha256: string; pairs: string }[]
}

const folder = new URL('../../../test/parity/golden/tokenizer/', import.meta.url)
const readJson = (name: string) => JSON.parse(readFileSync(new URL(name, folder), 'utf8'))
const golden: Golden = readJson('classes.json')
const shared: Record<string, unknown> = {
  ...golden.shared,
  '@charsmap': gunzipSync(readFileSync(new URL('nmt_nfkc_cf.charsmap.gz', folder))).toString('base64'),
}
const { parts } = readJson('kinds.json') as { parts: string[] }
const nasty = (readJson('nasty.json') as { texts: (string | [string, number])[] }).texts

/** As make_tokenizer_classes.py makes them. */
function fuzzed(count: number): string[] {
  let state = 5
  const draw = (below: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return (state >>> 8) % below
  }
  const part = () => parts[draw(parts.length)]!
  return Array.from({ length: count }, () => Array.from({ length: draw(20) }, part).join(''))
}

const texts = [
  ...nasty.map((text) => (typeof text === 'string' ? text : text[0].repeat(60))),
  ...['a', 'ab', 'the', '!', '中', ' a'].flatMap((unit) => Array.from({ length: 22 }, (_, i) => unit.repeat(i + 2))),
  ...fuzzed(800),
]

function sha256(rows: readonly (readonly number[])[]): string {
  return createHash('sha256')
    .update(rows.map((row) => row.join('\x1f')).join('\x1e'))
    .digest('hex')
}

function rowsOf({ ids, offsets }: Tokenized): number[][] {
  return Array.from({ length: offsets.length - 1 }, (_, i) => [...ids.subarray(offsets[i]!, offsets[i + 1]!)])
}

/** What stands in the place of "@name". */
function filled<T>(value: T): T {
  if (typeof value === 'string') return (value.startsWith('@') ? shared[value] : value) as T
  if (Array.isArray(value)) return value.map(filled) as T
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, filled(member)])) as T
}

for (const { name, files, first, sha256: expected, pairs } of golden.cases) {
  test(`${name}: ids as AutoTokenizer gives them`, async (t) => {
    const { json, modelConfig, vocabTxt, vocabJson, merges, ...more } = filled(files)
    const settings = { ...more, ...(modelConfig && { modelType: modelConfig.model_type }) }
    const made = json ?? tokenizerOfVocabulary({ vocabTxt, vocabJson, merges }, settings)
    const tokenizer = Tokenizer.from({ json: made!, ...settings }, { maxSeqLength: 512 })
    const rows = rowsOf(tokenizer.encode(texts))
    t.deepEqual(rows.filter((_, i) => i % 10 === 0).slice(0, first.length), first)
    t.is(sha256(rows), expected)
    const some = texts.slice(0, 200)
    const theirs = some.map(() => 'the')
    const { ids, offsets, tokenTypes } = await new PairTokenizer(tokenizer).encode(theirs, some, 512)
    const types = rowsOf({ ids: tokenTypes!, offsets })
    t.is(sha256(rowsOf({ ids, offsets }).map((row, i) => [...row, ...types[i]!])), pairs)
    equal('tokenizer-classes', 'tokenizer classes', texts.length)
    if (json) return
    // What is made of a vocabulary is a whole tokenizer.json, for other programs and in the saved folder.
    const again = Tokenizer.from({ json: made!, ...settings }, { maxSeqLength: 512 })
    t.deepEqual(again.encode(some), tokenizer.encode(some))
    const alone = { json: made!, config: { tokenizer_class: 'PreTrainedTokenizerFast' } }
    t.deepEqual(Tokenizer.from(alone, { maxSeqLength: 512 }).encode(some), tokenizer.encode(some))
  })
}

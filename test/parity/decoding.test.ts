import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import test from 'ava'
import type { TokenizerFiles } from '../../lib/data/tokenizer/files.js'
import { Tokenizer } from '../../lib/data/tokenizer.js'
import { tokenizerOfVocabulary } from '../../lib/models/vocab-file.js'
import { equal } from './report.js'

interface Folder extends Omit<TokenizerFiles, 'json'> {
  json?: object
  modelConfig?: { model_type: string }
  vocabTxt?: string
  vocabJson?: object
  merges?: string
}

interface Case {
  source: 'kinds' | 'classes' | 'own'
  name: string
  files?: Folder
  size: number
  first: string[]
  sha256: string[]
}

const folder = new URL('../../../test/parity/golden/tokenizer/', import.meta.url)
const readJson = (name: string) => JSON.parse(readFileSync(new URL(name, folder), 'utf8'))
const golden = readJson('decoding.json') as { vocab: object; cases: Case[] }
const sources = {
  kinds: readJson('kinds.json') as { cases: { name: string; files: Folder }[] },
  classes: readJson('classes.json') as { shared: Record<string, unknown>; cases: { name: string; files: Folder }[] },
}
const charsmap = gunzipSync(readFileSync(new URL('nmt_nfkc_cf.charsmap.gz', folder))).toString('base64')
const shared: Record<string, unknown> = {
  ...sources.classes.shared,
  ...{ '@charsmap': charsmap, nmt_nfkc_cf: charsmap, '@vocab': golden.vocab },
}

const ROWS = 400

/** As make_decoding.py makes them. */
function idsBelow(size: number): number[][] {
  let state = 3
  const draw = (below: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return (state >>> 8) % below
  }
  const id = () => draw(size + 3)
  return Array.from({ length: ROWS }, () => Array.from({ length: draw(20) }, id))
}

/** What stands in the place of a name. */
function filled<T>(value: T): T {
  if (typeof value === 'string') return (Object.hasOwn(shared, value) ? shared[value] : value) as T
  if (Array.isArray(value)) return value.map(filled) as T
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, filled(member)])) as T
}

function tokenizerOf(files: Folder): Tokenizer {
  const { json, modelConfig, vocabTxt, vocabJson, merges, ...more } = filled(files)
  const settings = { ...more, ...(modelConfig && { modelType: modelConfig.model_type }) }
  const made = json ?? tokenizerOfVocabulary({ vocabTxt, vocabJson, merges }, settings)
  return Tokenizer.from({ json: made!, ...settings }, { maxSeqLength: 512 })
}

const digest = (texts: readonly string[]) => createHash('sha256').update(texts.join('\x1e')).digest('hex')

for (const { source, name, files, size, first, sha256 } of golden.cases) {
  test(`${source}, ${name}: texts of ids as AutoTokenizer gives them`, (t) => {
    const found = source === 'own' ? undefined : sources[source].cases.find((one) => one.name === name)
    const tokenizer = tokenizerOf(files ?? found!.files)
    t.is(tokenizer.vocabSize, size)
    const rows = idsBelow(size)
    t.deepEqual(tokenizer.batchDecode(rows).slice(0, first.length), first)
    const cleaned = [{}, { cleanUpTokenizationSpaces: false }, { cleanUpTokenizationSpaces: true }]
    const options = [false, true].flatMap((skipSpecialTokens) =>
      cleaned.map((more) => ({ skipSpecialTokens, ...more })),
    )
    t.deepEqual(
      options.map((one) => digest(tokenizer.batchDecode(rows, one))),
      sha256,
    )
    equal('decoding', 'decoders of tokenizers', rows.length * options.length)
  })
}

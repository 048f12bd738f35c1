// Real pairs against the Hugging Face tokenizer of all-MiniLM-L6-v2; needs ../shared.
import { existsSync, readFileSync } from 'node:fs'
import { crc32 } from 'node:zlib'
import test from 'ava'
import { PairTokenizer } from '../../lib/data/pairs.js'
import { Tokenizer } from '../../lib/data/tokenizer.js'
import { equal } from './report.js'

const SHARED = new URL('../../../../shared/', import.meta.url)
const file = (path: string) => readFileSync(new URL(path, SHARED), 'utf8')
const jsonl = (path: string) =>
  file(path)
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line))
const present = existsSync(new URL('models/all-MiniLM-L6-v2/tokenizer.json', SHARED))
if (!present) console.warn('No ../shared beside the repository: the real pairs are left out')

interface Golden {
  rows: number
  lengths: Record<string, [ids: number, types: number][]>
}
const golden = JSON.parse(
  readFileSync(new URL('../../../test/parity/golden/pairs.json', import.meta.url), 'utf8'),
) as Golden

function pairs(): [string, string][] {
  const every = <T>(values: T[], step: number) => values.filter((_, i) => i % step === 0)
  const lines = file('data/stsb/dev.tsv').split('\n').slice(1).filter(Boolean)
  const rows = every(lines, 10).map((line) => line.split('\t').slice(0, 2) as [string, string])
  const texts = new Map(jsonl('data/squad/dev-passages.jsonl').map((row) => [row.passage_id, row.passage]))
  const asked = every(jsonl('data/squad/dev-questions.jsonl'), 40).map((row): [string, string] => [
    row.question,
    texts.get(row.passage_id),
  ])
  return [...rows, ...asked, ...every(asked, 5).map(([a, b]): [string, string] => [b, a])]
}

;(present ? test : test.skip)('token ids and types of real pairs equal Python’s at every length', async (t) => {
  const parse = (name: string) => JSON.parse(file(`models/all-MiniLM-L6-v2/${name}`)) as object
  const tokenizer = Tokenizer.fromFiles(parse('tokenizer.json'), parse('tokenizer_config.json'), { maxSeqLength: 512 })
  const rows = pairs()
  t.is(rows.length, golden.rows)
  const first = rows.map(([a]) => a)
  const second = rows.map(([, b]) => b)
  const crc = (values: Int32Array) => crc32(new Uint8Array(values.slice().buffer))
  for (const [length, expected] of Object.entries(golden.lengths)) {
    const { ids, tokenTypes, offsets } = await new PairTokenizer(tokenizer).encode(first, second, Number(length))
    for (const [i, [idsCrc, typesCrc]] of expected.entries()) {
      const range = [offsets[i], offsets[i + 1]] as const
      t.is(crc(ids.subarray(...range)), idsCrc, `${length}, ${i}: ${rows[i]}`)
      t.is(crc(tokenTypes!.subarray(...range)), typesCrc, `${length}, ${i}: ${rows[i]}`)
    }
    equal('pairs', 'token ids', rows.length)
  }
  await tokenizer.dispose()
})

// Where tokens stand in their texts, beside Rust's tokenizers (test/parity/make_token_places.py).
import { readFileSync } from 'node:fs'
import test from 'ava'
import { Tokenizer } from '../../lib/data/tokenizer.js'
import { tokensOf } from '../../lib/serve/token-places.js'

interface Case {
  folder: string
  text: string
  tokens: { id: number; start: number | null; stop: number | null }[]
}

const golden = new URL('../../../test/parity/golden/', import.meta.url)
const read = (path: string) => JSON.parse(readFileSync(new URL(path, golden), 'utf8'))

for (const { folder, text, tokens } of read('token-places.json') as Case[]) {
  test(`${folder}: ${JSON.stringify(text)}`, (t) => {
    const files = [read(`${folder}/tokenizer.json`), read(`${folder}/tokenizer_config.json`)] as const
    const tokenizer = Tokenizer.fromFiles(...files, { maxSeqLength: 512 })
    const { ids } = tokenizer.encode([text])
    const found = tokensOf(tokenizer, text, ids)
    t.deepEqual(
      found.map(({ id, start, stop }) => ({ id, start, stop })),
      tokens,
    )
    for (const token of found) {
      if (token.start === null || token.stop === null) continue
      t.is(token.text, Buffer.from(text).subarray(token.start, token.stop).toString())
    }
  })
}

test('tokens of other kinds have no places', (t) => {
  const folder = 'logit-score/qwen2'
  const files = [read(`${folder}/tokenizer.json`), read(`${folder}/tokenizer_config.json`)] as const
  const tokenizer = Tokenizer.fromFiles(...files, { maxSeqLength: 512 })
  const found = tokensOf(tokenizer, 'the dog', tokenizer.encode(['the dog']).ids)
  t.true(found.length > 1)
  t.true(found.every(({ start, stop }) => start === null && stop === null))
  t.true(found.some(({ text }) => text.includes('the')))
})

import { createHash } from 'node:crypto'
import { TimeSlice } from './time-slice.js'

const PIECE_CHARACTERS = 1 << 16

/** SHA-256 (hex) of a JSON value, without blocking the event loop: a tokenizer.json can have many megabytes. */
export async function hashJson(value: unknown): Promise<string> {
  const hash = createHash('sha256')
  const slice = new TimeSlice()
  let piece = ''
  for (const token of tokens(value)) {
    piece += token
    if (piece.length < PIECE_CHARACTERS) continue
    hash.update(piece)
    piece = ''
    await slice.yield()
  }
  return hash.update(piece).digest('hex')
}

function* tokens(value: unknown): Generator<string> {
  if (typeof value !== 'object' || value === null) {
    yield `${JSON.stringify(value)},`
  } else if (Array.isArray(value)) {
    yield '['
    for (const entry of value) yield* tokens(entry)
    yield ']'
  } else if ('toJSON' in value && typeof value.toJSON === 'function') {
    yield* tokens(value.toJSON())
  } else {
    yield '{'
    for (const [name, entry] of Object.entries(value)) {
      yield `${JSON.stringify(name)}:`
      yield* tokens(entry)
    }
    yield '}'
  }
}

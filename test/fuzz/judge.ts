import { type ErrorCode, SentenceTorchError } from '../../lib/errors.js'

/** What became of a case: a code (`ok`, or that of an error), or a finding. */
export type Outcome = { code: string } | Finding

export interface Finding {
  kind: 'raw' | 'bad' | 'crash' | 'hang' | 'memory'
  /** The same for the same fault. */
  signature: string
  message: string
}

/** Something that was accepted, or done, and should not have been. */
export class Bad extends Error {}

/** @throws Bad */
export function expect(fact: boolean, otherwise: string): void {
  if (!fact) throw new Bad(otherwise)
}

/** Codes that native errors may have. ERR_LIBTORCH is not among them: what LibTorch refuses should be refused before. */
const NATIVE: readonly ErrorCode[] = [
  ...([
    'ERR_INVALID_ARGUMENT',
    'ERR_UNKNOWN_OPTION',
    'ERR_NOT_IMPLEMENTED',
    'ERR_UNSUPPORTED',
    'ERR_INVALID_DATA',
  ] as const),
  ...([
    'ERR_INVALID_TENSORS',
    'ERR_INVALID_MODEL',
    'ERR_BUSY',
    'ERR_DISPOSED',
    'ERR_ABORTED',
    'ERR_OUT_OF_MEMORY',
  ] as const),
]
/** What the engine of JavaScript says about a mistake of ours, found in a message of ours. */
const ENGINE = /Cannot read properties|is not a function|is not iterable|is not defined|Invalid array length|call stack/

/** @param native errors of the addon itself, which are plain ones with a code */
export function judge(error: unknown, native = false): Outcome {
  if (error instanceof Bad) return { kind: 'bad', signature: `bad ${general(error.message)}`, message: error.message }
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown }
  const isOurs =
    error instanceof SentenceTorchError ? code !== 'ERR_LIBTORCH' : native && NATIVE.includes(code as never)
  // What a library says of a Parquet file is told as it says it.
  const quotes = String(message).startsWith('Expected a whole Parquet file')
  if (isOurs && (quotes || !ENGINE.test(String(message)))) return { code: String(code) }
  const text = error instanceof Error ? (error.stack ?? error.message) : `thrown: ${String(error)}`
  const where = place(text)
  // Of one place, errors are one: what they say depends on the input.
  const what = where === '' ? general(text.split('\n')[0]!) : (error as Error).name
  return { kind: 'raw', signature: `raw ${what} ${where}`, message: cut(text, 2000) }
}

/** The first line of a stack that is ours. */
function place(stack: string): string {
  const line = stack.split('\n').find((line) => /\/dist\/lib\//.test(line)) ?? ''
  return /\/dist\/(lib\/[^:]+:\d+)/.exec(line)?.[1] ?? ''
}

/** A message without what differs from case to case. */
function general(message: string): string {
  return cut(
    message
      .replace(/"[^"]*"|'[^']*'|`[^`]*`/g, '…')
      .replace(/\/\S+/g, '…')
      .replace(/-?\d[\d.e+,]*/g, 'N'),
    120,
  )
}

export function cut(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length)}…` : text
}

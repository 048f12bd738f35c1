/** Codes that a `SentenceTorchError` can carry; native errors use the same list. */
export type ErrorCode =
  | 'ERR_INVALID_ARGUMENT' // an argument has the wrong type, range or shape
  | 'ERR_UNKNOWN_OPTION' // a misspelt option name
  | 'ERR_NOT_IMPLEMENTED' // known from sentence-transformers, not built yet
  | 'ERR_UNSUPPORTED' // will not be supported here (custom code, other pickles than weights, platform)
  | 'ERR_INVALID_DATA' // rows, columns or labels that do not fit
  | 'ERR_INVALID_MODEL' // a model folder that cannot be read
  | 'ERR_INVALID_TENSORS' // missing, unknown, misshapen or non-finite tensors
  | 'ERR_INVALID_FILE' // a damaged or hostile file
  | 'ERR_NOT_FOUND' // no such file, model or revision
  | 'ERR_FILE_SYSTEM' // a full disk, a read-only folder, missing permissions
  | 'ERR_NETWORK' // a download failed
  | 'ERR_NOT_SAVED' // a model could not be saved where it should: see NotSavedError
  | 'ERR_DISTRIBUTED' // processes that train together do not meet, or have lost one of them
  | 'ERR_BUSY' // the model is being trained by another trainer
  | 'ERR_DISPOSED' // use after dispose()
  | 'ERR_ABORTED' // stopped by an AbortSignal
  | 'ERR_OUT_OF_MEMORY'
  | 'ERR_ADDON_LOAD' // the native addon or LibTorch could not be loaded
  | 'ERR_LIBTORCH' // an error inside LibTorch

/** Every error that this package throws on purpose. `code` is stable; `message` says expected, found and where. */
export class SentenceTorchError extends Error {
  readonly code: ErrorCode

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.name = 'SentenceTorchError'
    this.code = code
  }
}

/** "Expected `expected` for `name` but received `found`". */
export function invalidArgument(name: string, expected: string, found: unknown): SentenceTorchError {
  return new SentenceTorchError(
    'ERR_INVALID_ARGUMENT',
    `Expected ${expected} for ${name} but received ${describe(found)}`,
  )
}

/** A short, safe rendering of any value for an error message. */
export function describe(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}...` : value)
  if (Array.isArray(value)) return `an array of length ${value.length}`
  if (ArrayBuffer.isView(value)) return `a ${value.constructor.name} of ${value.byteLength} bytes`
  if (typeof value === 'function') return `a function`
  if (typeof value === 'object' && value !== null) return `an object of type ${typeName(value)}`
  return String(value)
}

/** Not of `value.constructor`: parsed JSON can have any member, and any value there. */
function typeName(value: object): string {
  const name: unknown = Object.getPrototypeOf(value)?.constructor?.name
  return typeof name === 'string' ? name : 'null prototype'
}

/** Joins a native rejection (code and message) with the stack of the JavaScript caller. */
export function fromNative(error: unknown, where: string): unknown {
  if (!(error instanceof Error)) return error
  const code = (error as { code?: unknown }).code
  if (typeof code !== 'string' || !code.startsWith('ERR_')) return error
  const joined = new SentenceTorchError(code as ErrorCode, error.message, { cause: error })
  Error.captureStackTrace?.(joined, fromNative)
  joined.stack = `${joined.stack}\n    in native ${where}`
  return joined
}

/** The name that is closest to `name` among `known`, if it is close enough to be a misspelling. */
export function suggestion(name: string, known: Iterable<string>): string | undefined {
  let best: string | undefined
  let bestDistance = Math.max(2, Math.floor(name.length / 3)) + 1
  for (const candidate of known) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase())
    if (distance < bestDistance) {
      bestDistance = distance
      best = candidate
    }
  }
  return best
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const current = [i]
    for (let j = 1; j <= b.length; j++) {
      const substitution = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      current.push(Math.min(previous[j]! + 1, current[j - 1]! + 1, substitution))
    }
    previous = current
  }
  return previous[b.length]!
}

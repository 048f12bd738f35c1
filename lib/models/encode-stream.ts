import { invalidArgument } from '../errors.js'
import { unlessAborted } from '../io/abort.js'

/** Texts of a part: enough that jobs hold rows of about the same length. */
const PART_TEXTS = 512
/** Characters (UTF-16 units) after which a part is full, so that long texts take no more memory. */
const PART_LENGTH = 2 ** 20
/** Parts that are encoded while more texts are read: the engine must not wait for the source. */
const PARTS_UNDER_WAY = 2

/** Where a stream's texts come from. */
export type TextSource = AsyncIterable<string> | Iterable<string>

/**
 * The results of `encode` for the texts of a source, one by one and in order. It reads ahead by a few parts, however slowly results
 * are taken, and encodes what there is where the source keeps it waiting. Who stops taking results ends the source, too.
 * @param signal ends the wait for the source
 * @throws ERR_ABORTED; what the source and `encode` throw
 */
export async function* encodeParts<T>(
  source: TextSource,
  encode: (texts: string[]) => Promise<Iterable<T>>,
  signal?: AbortSignal,
): AsyncGenerator<T, void, undefined> {
  const texts = new Texts(source, signal)
  const parts: Promise<Iterable<T>>[] = []
  try {
    for (;;) {
      while (parts.length < PARTS_UNDER_WAY) {
        const part = await texts.part(parts[0])
        if (part === undefined) break
        const results = encode(part)
        // It is awaited later, or never where an earlier part fails.
        results.catch(() => {})
        parts.push(results)
      }
      const first = parts.shift()
      if (first === undefined) return
      yield* await first
    }
  } finally {
    await texts.close()
    // Nobody waits for them any more, but the engine works on them.
    await Promise.allSettled(parts)
  }
}

/** Reads the source part by part. */
class Texts {
  readonly #source: AsyncIterator<unknown> | Iterator<unknown>
  #reading: Promise<IteratorResult<unknown>> | undefined
  #part: string[] = []
  #length = 0
  #read = 0
  #ended = false

  constructor(
    source: TextSource,
    private readonly signal: AbortSignal | undefined,
  ) {
    this.#source = iteratorOf(source)
  }

  /**
   * The next texts; undefined when there are none, and when `other` settles before one has come. Texts that have come do not wait
   * for more once `other` settles, or once the event loop has turned where there is no other.
   */
  async part(other: Promise<unknown> | undefined): Promise<string[] | undefined> {
    const nothing = () => undefined
    const due = (other ?? new Promise((resolve) => setImmediate(resolve))).then(nothing, nothing)
    while (!this.#ended && this.#part.length < PART_TEXTS && this.#length < PART_LENGTH) {
      this.#reading ??= Promise.resolve(this.#source.next())
      const waitsForSource = other === undefined && this.#part.length === 0
      const reading = waitsForSource ? this.#reading : Promise.race([this.#reading, due])
      const next = await unlessAborted(reading, this.signal, 'Encoding')
      if (next === undefined) break
      this.#take(next)
    }
    if (this.#part.length === 0) return undefined
    const part = this.#part
    this.#part = []
    this.#length = 0
    return part
  }

  #take({ done, value }: IteratorResult<unknown>): void {
    this.#reading = undefined
    if (done) {
      this.#ended = true
      return
    }
    if (typeof value !== 'string') throw invalidArgument(`texts[${this.#read}]`, 'a string', value)
    this.#read++
    this.#part.push(value)
    this.#length += value.length
  }

  async close(): Promise<void> {
    if (this.#ended) return
    const closing = Promise.resolve(this.#source.return?.())
    // A generator that is waiting for something ends when that has come, which may be never.
    if (this.#reading) this.#reading.then(() => closing).catch(() => {})
    else await closing
  }
}

function iteratorOf(source: TextSource): AsyncIterator<unknown> | Iterator<unknown> {
  if (typeof source === 'object' && source !== null) {
    if (Symbol.asyncIterator in source) return source[Symbol.asyncIterator]()
    if (Symbol.iterator in source) return source[Symbol.iterator]()
  }
  throw invalidArgument('texts', 'an iterable or async iterable of strings', source)
}

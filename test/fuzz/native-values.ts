import type { Json } from './case.js'

/**
 * Arguments of native functions, of JSON: `{ $i32: [1, 2] }` is an Int32Array. What a program made before is named:
 * `{ $ref: 'out' }`, `{ $object: 'encoder' }`.
 */
export class NativeValues {
  readonly buffers = new Map<string, ArrayBufferView>()
  readonly objects = new Map<string, unknown>()

  of(value: Json): unknown {
    if (typeof value !== 'object' || value === null) return value
    if (Array.isArray(value)) return value.map((element) => this.of(element))
    const entries = Object.entries(value)
    const [key, given] = entries[0] ?? []
    if (entries.length === 1 && key !== undefined && Object.hasOwn(this.#kinds, key)) return this.#kinds[key]!(given!)
    return Object.fromEntries(entries.map(([name, member]) => [name, this.of(member)]))
  }

  readonly #kinds: Record<string, (given: Json) => unknown> = {
    $i32: (given) => Int32Array.from(numbersOf(given)),
    $f32: (given) => Float32Array.from(numbersOf(given)),
    $f64: (given) => Float64Array.from(numbersOf(given)),
    $u8: (given) => Uint8Array.from(numbersOf(given)),
    $i64: (given) => BigInt64Array.from(numbersOf(given), (value) => BigInt(Math.trunc(Number(value)) || 0)),
    $number: (given) => (typeof given === 'object' ? Number.NaN : Number(given)),
    $undefined: () => undefined,
    $function: () => () => 1,
    $symbol: () => Symbol('s'),
    $bigint: (given) => (typeof given === 'number' && Number.isFinite(given) ? BigInt(Math.trunc(given)) : 0n),
    $date: () => new Date(0),
    $map: () => new Map([['a', 1]]),
    $bare: (given) => Object.assign(Object.create(null), this.of(given)),
    $cycle: () => {
      const cycle: Record<string, unknown> = {}
      cycle.self = cycle
      return cycle
    },
    $proxy: (given) => new Proxy(objectOf(this.of(given)), {}),
    /** A proxy that refuses everything. */
    $revoked: () => {
      const { proxy, revoke } = Proxy.revocable({}, {})
      revoke()
      return proxy
    },
    /** An object of which every member, when it is read, throws. */
    $throws: (given) =>
      new Proxy(objectOf(this.of(given)), {
        get: () => {
          throw new Error('a getter of the case')
        },
      }),
    /** Views of memory that moves, is shared, gone, or not where one begins. */
    $resizable: (given) => this.#over(given, (length) => new Resizable(length, { maxByteLength: length + 64 })),
    $shared: (given) => this.#over(given, (length) => new SharedArrayBuffer(length)),
    $detached: (given) => {
      const view = this.#view(given)
      // Shared memory does not go.
      if (view.buffer instanceof ArrayBuffer) structuredClone(view.buffer, { transfer: [view.buffer] })
      return view
    },
    $offset: (given) => this.#over(given, (length) => new ArrayBuffer(length + 8), 4),
    $ref: (given) => this.buffers.get(nameIn(given)),
    $object: (given) => this.objects.get(nameIn(given)),
  }

  #view(given: Json): Float32Array {
    const value = this.of(given)
    return ArrayBuffer.isView(value) ? (value as Float32Array) : new Float32Array(4)
  }

  /** The same view over another kind of memory. */
  #over(given: Json, memory: (length: number) => ArrayBufferLike, offset = 0): ArrayBufferView {
    const view = this.#view(given)
    const isGone = view.byteLength === 0
    const bytes = isGone ? new Uint8Array(0) : new Uint8Array(view.buffer, view.byteOffset, view.byteLength)
    const other = memory(bytes.length)
    new Uint8Array(other, offset, bytes.length).set(bytes)
    const Kind = view.constructor as new (buffer: ArrayBufferLike, offset: number, length: number) => ArrayBufferView
    const { BYTES_PER_ELEMENT: size } = view
    return new Kind(other, offset % size === 0 ? offset : 0, bytes.length / size)
  }
}

/** The types of this version of JavaScript do not know it yet. */
const Resizable = ArrayBuffer as unknown as new (length: number, options: { maxByteLength: number }) => ArrayBuffer

/** A list, or so many zeros. */
function numbersOf(given: Json): number[] {
  if (typeof given === 'number' && given >= 0 && given <= 1e6) return new Array(Math.trunc(given)).fill(0)
  return Array.isArray(given)
    ? (given as number[]).map((value) => (typeof value === 'number' ? value : Number.NaN))
    : []
}

export function nameIn(given: Json | undefined): string {
  return typeof given === 'string' ? given : ''
}

function objectOf(value: unknown): object {
  return typeof value === 'object' && value !== null ? value : {}
}

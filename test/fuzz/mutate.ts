import { bytesOf, type Edit, type Files, type Json, withMember } from './case.js'
import type { Random } from './random.js'

const numbers: Json[] = [
  ...[0, -1, 1, 2, 3, 127, 128, 255, 256, 65535, 65536, 1e6, 1e9, 0.5, -0.5, 1e-45, 1e-7, 1e15, 1e308, -1e308],
  ...[2 ** 31 - 1, 2 ** 31, -(2 ** 31), 2 ** 32, 2 ** 53 - 1, 2 ** 53, 2 ** 60],
  ...['1e999', '-1e999', '-0', '18446744073709551616', '1E400'].map(($raw) => ({ $raw })),
]
const texts = [
  ...[
    '',
    ' ',
    '\n',
    '\0',
    '..',
    '../../x',
    '/etc/passwd',
    'a/b',
    'C:\\x',
    '\ud800',
    '\udc00a',
    '😀',
    'é',
    '\u202e',
    '﻿',
  ],
  ...[
    '__proto__',
    'constructor',
    'toString',
    'length',
    'null',
    'NaN',
    'Infinity',
    '0',
    '-1',
    '1e309',
    'true',
    '%s',
    '%n',
  ],
  ...['(a+)+$', '[', '(?<x>', '\\', '.*', '[[:alpha:]]', '*'.repeat(30), 'a'.repeat(300)],
]
const large: Json[] = [
  ...[{ $deep: 300 }, { $deep: 20000 }, { $deepObject: 5000 }, { $keys: 2000 }, { $long: ['a', 200_000] }],
  ...[{ $many: [0, 20000] }, { $many: [{}, 5000] }, { $many: ['a', 5000] }, { $long: ['\ud83d\ude00', 20000] }],
]

const odd: Json[] = [
  ...[null, true, false, [], {}, [[]], [null], [0, 1], { a: 1 }, [''], [[], [1]]],
  ...[{ constructor: { name: { toString: 1 } } }, { length: -1 }, { toString: 1, toJSON: 1 }],
]

/** A value that nobody expects. */
export function hostile(random: Random, tokens: readonly Json[] = []): Json {
  const kind = random.int(tokens.length > 0 ? 12 : 9)
  if (kind < 3) return random.pick(numbers)
  if (kind < 6) return random.pick(texts)
  if (kind === 6 && random.oneIn(8)) return random.pick(large)
  if (kind < 9) return random.pick(odd)
  return random.pick(tokens)
}

type Path = (string | number)[]

/** A change of one place of a JSON value; the place is `at`. */
export function jsonChange(
  random: Random,
  value: Json,
  tokens: readonly Json[] = [],
): { at: Path; set?: Json; drop?: true } {
  const { at, found } = somewhere(random, value)
  switch (random.int(9)) {
    case 0:
      return at.length > 0 ? { at, drop: true } : { at, set: hostile(random, tokens) }
    case 1:
      return { at, set: somewhere(random, value).found }
    case 2:
      // A name more, or an element more.
      if (Array.isArray(found)) return { at: [...at, found.length], set: random.pick([...found, null]) }
      if (typeof found === 'object' && found !== null) {
        const key = random.oneIn(2) ? random.pick(texts) : JSON.stringify(hostile(random, tokens))
        return { at: [...at, key], set: hostile(random, tokens) }
      }
      return { at, set: [found] }
    case 3:
      return { at, set: near(random, found) }
    case 4:
      return { at, set: near(random, found) }
    default:
      return { at, set: hostile(random, tokens) }
  }
}

/** The value with some changes. */
export function mutated(random: Random, value: Json, tokens: readonly Json[] = []): Json {
  let now = value
  for (const { at, ...change } of random.some(1, 4, () => jsonChange(random, value, tokens)))
    now = withMember(now, at, change)
  return now
}

function somewhere(random: Random, value: Json): { at: Path; found: Json } {
  const at: Path = []
  let found = value
  while (typeof found === 'object' && found !== null && !(at.length > 0 && random.oneIn(5))) {
    const keys = Object.keys(found)
    if (keys.length === 0) break
    const key = random.pick(keys)
    at.push(Array.isArray(found) ? Number(key) : key)
    found = (found as Record<string, Json>)[key]!
  }
  return { at, found }
}

/** A value of the same type, or nearly. */
function near(random: Random, value: Json): Json {
  if (typeof value === 'number') {
    return random.pick<Json>([
      value + 1,
      value - 1,
      value * 2,
      -value,
      value / 2,
      value + 0.5,
      String(value),
      value * 1000,
      [value],
    ])
  }
  if (typeof value === 'boolean') return random.pick<Json>([!value, Number(value), String(value)])
  if (typeof value === 'string') {
    const at = random.int(value.length + 1)
    const other = random.pick(texts)
    return random.pick([
      value.slice(0, at),
      value.slice(0, at) + other + value.slice(at),
      value.toUpperCase(),
      value + value,
      other,
    ])
  }
  if (Array.isArray(value))
    return random.pick<Json>([[...value, ...value], value.slice(1), [...value].reverse(), [value], {}])
  if (value === null) return random.pick<Json>([0, '', false, {}, []])
  return random.pick<Json>([Object.values(value), [value], Object.fromEntries(Object.entries(value).slice(1))])
}

/** Bytes as a case writes them. */
export function latin1(text: string | Uint8Array): string {
  return Buffer.from(text).toString('latin1')
}

/** Bytes of whole numbers at the edges, little-endian. */
const integers = [1, 2, 4, 8].flatMap((size) =>
  [0n, 1n, -1n, 1n << BigInt(size * 8 - 1), (1n << BigInt(size * 8 - 1)) - 1n, 1n << 20n].map((value) => {
    const bytes = Buffer.alloc(8)
    bytes.writeBigUInt64LE(BigInt.asUintN(64, value))
    return latin1(bytes.subarray(0, size))
  }),
)

/** A change of bytes. @param tokens texts that mean something in this format */
export function byteEdit(random: Random, file: string, bytes: Uint8Array, tokens: readonly string[]): Edit {
  // The ends of a file say what it is.
  const byte = random.oneIn(4) ? Math.max(0, bytes.length - 1 - random.int(40)) : random.int(bytes.length + 1)
  const put = (text: string, cut: number): Edit => ({ file, byte, cut, put: text })
  switch (random.int(9)) {
    case 0:
      return put(String.fromCharCode((bytes[byte] ?? 0) ^ (1 << random.int(8))), 1)
    case 1:
      return put(random.pick(['\0', '\xff', '\x7f', '\x80', '\n', '"', ' ']), random.int(2))
    case 2:
      return put('', 1 + random.int(random.pick([2, 20, bytes.length])))
    case 3:
      return { file, byte, cut: bytes.length, put: '' }
    case 4: {
      const from = random.int(bytes.length)
      return put(latin1(bytes.subarray(from, from + 1 + random.int(40))), random.int(3) * 10)
    }
    case 5: {
      const integer = random.pick(integers)
      return put(integer, integer.length)
    }
    case 6:
      return {
        ...put(random.pick(['a', '\xff', '"', '[', '1', ',', '\n']), random.int(2)),
        times: random.pick([3, 100, 70_000]),
      }
    default:
      return put(latin1(random.pick(tokens)), random.int(8))
  }
}

/** Some changes of some files. */
export function fileEdits(random: Random, files: Files, names: readonly string[], tokens: readonly Json[]): Edit[] {
  const words = tokens.filter((token) => typeof token === 'string')
  return random.some(1, 5, (): Edit => {
    const file = random.pick(names)
    const content = files[file] ?? null
    if (content === null || random.oneIn(40))
      return { file, text: random.pick([null, '', '{}', '[]', 'null', '{', '\ufeff{}']) }
    if (content instanceof Uint8Array) return byteEdit(random, file, content, words.length > 0 ? words : texts)
    if (random.oneIn(10)) return byteEdit(random, file, bytesOf(content), ['"', '{', '}', '[', ']', ',', '1e999', ':'])
    return { file, ...jsonChange(random, content, tokens) }
  })
}

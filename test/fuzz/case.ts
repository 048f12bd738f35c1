/**
 * One input of a target, as JSON: files that are known (`base`), what is changed in them, and what is done with them. So a case
 * is small, can be read, and can be made smaller piece by piece.
 */
export interface Case {
  base: string
  edits: Edit[]
  plan?: Json
}

export type Json = string | number | boolean | null | Json[] | { [key: string]: Json }

export type Edit =
  /** A member of a JSON file, by its path: set, or removed. */
  | { file: string; at: (string | number)[]; set?: Json; drop?: true }
  /** Bytes, written as Latin-1: `cut` of them give way to `put`, so many times. */
  | { file: string; byte: number; cut: number; put: string; times?: number }
  /** The whole file as text; null: it is not there. */
  | { file: string; text: string | null }

/** Files by name: JSON as its value, anything else as bytes, null for none. */
export type Files = Readonly<Record<string, Json | Uint8Array>>

const MOST_TIMES = 200_000

/**
 * The files that edits have changed, as bytes. Edits that do not fit are left out, so that every subset of a case is a case.
 */
export function changedFiles(base: Files, edits: readonly Edit[]): Map<string, Uint8Array | null> {
  const changed = new Map<string, Json | Uint8Array>()
  for (const edit of Array.isArray(edits) ? edits : []) {
    if (typeof edit?.file !== 'string') continue
    const before = changed.has(edit.file) ? changed.get(edit.file)! : (base[edit.file] ?? null)
    changed.set(edit.file, edited(before, edit))
  }
  return new Map([...changed].map(([file, content]) => [file, content === null ? null : bytesOf(content)]))
}

export function bytesOf(content: Json | Uint8Array): Uint8Array {
  return content instanceof Uint8Array ? content : Buffer.from(jsonText(content))
}

function edited(content: Json | Uint8Array, edit: Edit): Json | Uint8Array {
  if ('text' in edit) return typeof edit.text === 'string' ? Buffer.from(edit.text) : null
  if ('byte' in edit) {
    const bytes = content === null ? Buffer.of() : bytesOf(content)
    if (!Number.isInteger(edit.byte) || !Number.isInteger(edit.cut) || typeof edit.put !== 'string') return content
    const from = Math.min(Math.max(edit.byte, 0), bytes.length)
    const to = Math.min(from + Math.max(edit.cut, 0), bytes.length)
    const put = edit.put.repeat(Math.min(Math.max(Number(edit.times ?? 1) || 0, 0), MOST_TIMES))
    return Buffer.concat([bytes.subarray(0, from), Buffer.from(put, 'latin1'), bytes.subarray(to)])
  }
  if (content instanceof Uint8Array || !Array.isArray(edit.at)) return content
  return withMember(content, edit.at, edit)
}

/** A copy of `value` with a member set or removed; shares what stays the same. */
export function withMember(value: Json, path: readonly (string | number)[], change: { set?: Json; drop?: true }): Json {
  const [key, ...rest] = path
  if (key === undefined) return change.set ?? null
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) {
    const index = Number(key)
    if (!Number.isInteger(index) || index < 0 || index > value.length) return value
    const copy = [...value]
    if (rest.length === 0 && change.drop) copy.splice(index, 1)
    else copy[index] = withMember(value[index] ?? null, rest, change)
    return copy
  }
  // Not by assignment, which `__proto__` would turn into another prototype.
  const entries = Object.entries(value).filter(([name]) => name !== String(key))
  if (rest.length > 0 || !change.drop) {
    const before = Object.hasOwn(value, key) ? value[key]! : null
    entries.push([String(key), withMember(before, rest, change)])
  }
  return Object.fromEntries(entries)
}

/** What is too large, or no JSON, to be written out in a case: `{ $many: [0, 100000] }` is an array of 100,000 zeros. */
const recipes: Record<string, (given: never) => string> = {
  $raw: (text: string) => text,
  $deep: (depth: number) => '['.repeat(depth) + ']'.repeat(depth),
  $deepObject: (depth: number) => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`,
  $many: ([value, count]: [Json, number]) => `[${Array(count).fill(jsonText(value)).join()}]`,
  $keys: (count: number) => `{${Array.from({ length: count }, (_, i) => `"k${i}":${i}`).join()}}`,
  $long: ([text, count]: [string, number]) => JSON.stringify(text.repeat(count)),
}

/** JSON with its recipes carried out. */
export function jsonText(value: Json): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map(jsonText).join()}]`
  const entries = Object.entries(value)
  const [first] = entries
  if (first && entries.length === 1 && Object.hasOwn(recipes, first[0])) {
    try {
      return recipes[first[0]]!(first[1] as never)
    } catch {
      return 'null'
    }
  }
  return `{${entries.map(([key, member]) => `${JSON.stringify(key)}:${jsonText(member)}`).join()}}`
}

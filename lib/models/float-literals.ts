// Numbers such as 0.0 in a config.json: JavaScript would write them back as 0, which transformers' configurations, strict
// about types, refuse where they expect a float.
import type { ConfigObject } from '../native/types.js'

/** A symbol, so that a copy by spread has it, and nobody else sees it. */
const FLOATS = Symbol('where whole numbers are written with a fraction')

interface WithFloats {
  [FLOATS]?: ReadonlySet<string>
}

const TOKEN = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|[{}[\]:,]|true|false|null/g
/** Between the keys of a path; no key of a real file has it. */
const SEPARATOR = '\u0000'
const MARK = '\u0001float:'

/**
 * Notes which whole numbers are written with a fraction or an exponent.
 * @param text the JSON that `config` was parsed from
 */
export function keepFloats(config: ConfigObject, text: string): ConfigObject {
  const floats = floatPaths(text)
  return floats.size > 0 ? Object.assign(config, { [FLOATS]: floats }) : config
}

/** JSON in which the numbers that were noted keep a fraction. */
export function stringifyWithFloats(value: unknown, indent: number): string {
  const floats = (value as WithFloats | null | undefined)?.[FLOATS]
  if (floats === undefined) return JSON.stringify(value, null, indent)
  const marked = (part: unknown, path: string): unknown => {
    if (Array.isArray(part)) return part.map((item, i) => marked(item, path + SEPARATOR + i))
    if (typeof part === 'object' && part !== null)
      return Object.fromEntries(Object.entries(part).map(([key, item]) => [key, marked(item, path + SEPARATOR + key)]))
    const isFloat = floats.has(path) && Number.isInteger(part) && /^-?\d+$/.test(String(part))
    return isFloat ? MARK + (Object.is(part, -0) ? '-0' : String(part)) : part
  }
  const text = JSON.stringify(marked(value, ''), null, indent)
  return text.replace(/"\\u0001float:(-?\d+)"/g, '$1.0')
}

function floatPaths(text: string): Set<string> {
  const found = new Set<string>()
  // Of each object or array that is open: its path, and the key or index of the value that comes next.
  const open: { path: string; isArray: boolean; next: string | number }[] = []
  let key: string | undefined
  for (const [token] of text.matchAll(TOKEN)) {
    const inside = open.at(-1)
    const path = inside === undefined ? '' : inside.path + SEPARATOR + inside.next
    if (token === '{' || token === '[') open.push({ path, isArray: token === '[', next: token === '[' ? 0 : '' })
    else if (token === '}' || token === ']') open.pop()
    else if (token === ':') inside!.next = JSON.parse(key!) as string
    else if (token === ',') {
      if (inside!.isArray) inside!.next = (inside!.next as number) + 1
    } else if (token.startsWith('"')) key = token
    else if (/[.eE]/.test(token) && /\d/.test(token) && Number.isInteger(Number(token))) found.add(path)
  }
  return found
}

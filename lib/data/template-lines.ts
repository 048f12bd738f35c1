/** Where in a chat template a fault is: the library that runs templates knows no lines. */
import type { TemplateLibrary } from './template-python.js'

/** `{{ … }}`, `{% … %}` or `{# … #}`. */
interface Tag {
  kind: '{' | '%' | '#'
  start: number
  end: number
  line: number
}

const OPTIONS = { lstrip_blocks: true, trim_blocks: true }
/** The library takes these away before it reads a template. */
const TAKEN_AWAY = /^\{%-?\s*(end)?generation\b/

/** The tags of a template, in order. The last may have no end. */
function tagsOf(source: string): Tag[] {
  const tags: Tag[] = []
  let line = 1
  let counted = 0
  for (let at = 0; ; ) {
    const found = /\{[{%#]/g
    found.lastIndex = at
    const start = found.exec(source)?.index
    if (start === undefined) return tags
    const kind = source[start + 1] as Tag['kind']
    const end = endOf(source, start + 2, kind === '{' ? '}' : kind)
    line += source.slice(counted, start).split('\n').length - 1
    counted = start
    if (!TAKEN_AWAY.test(source.slice(start, end))) tags.push({ kind, start, end, line })
    at = end
  }
}

/** The index behind a tag that is open at `from`. */
function endOf(source: string, from: number, sign: string): number {
  let quote: string | undefined
  let depth = 0
  for (let at = from; at < source.length; at++) {
    const unit = source[at]!
    if (sign !== '#') {
      if (quote !== undefined) {
        if (unit === '\\') at++
        else if (unit === quote) quote = undefined
        continue
      }
      if (unit === '"' || unit === "'") quote = unit
      if (unit === '{') depth++
      if (unit === '}' && depth > 0) {
        depth--
        continue
      }
    }
    if (unit === sign && source[at + 1] === '}') return at + 2
  }
  return source.length
}

/** The line at which the library stops to understand a template. */
export function lineOfSyntax(source: string, library: Pick<TemplateLibrary, 'tokenize' | 'parse'>): number | undefined {
  const tags = tagsOf(source)
  const broken = tags.find(({ start, end }) => throws(() => library.tokenize(source.slice(start, end), OPTIONS)))
  if (broken) return broken.line
  const tokens = library.tokenize(source, OPTIONS)
  let reached = 0
  const watched = new Proxy(tokens, {
    get(target, key, receiver) {
      if (typeof key === 'string' && /^\d+$/.test(key)) reached = Math.max(reached, Number(key))
      return Reflect.get(target, key, receiver)
    },
  })
  if (!throws(() => library.parse(watched))) return undefined
  const passed = tokens.slice(0, reached + 1)
  const count = passed.filter(({ type }) => ['OpenStatement', 'OpenExpression', 'Comment'].includes(type)).length
  return tags[Math.max(0, count - 1)]?.line
}

/** A template that calls the function `name` with the line of each tag when it comes to it, and may differ in white space. */
export function markLines(source: string): { source: string; name: string } {
  const name = 'sentence_torch_line'
  let out = ''
  let at = 0
  for (const { kind, start, line } of tagsOf(source)) {
    if (kind === '#') continue
    out += `${source.slice(at, start)}{{ ${name}(${line}) }}`
    at = start
  }
  return { source: out + source.slice(at), name }
}

function throws(work: () => unknown): boolean {
  try {
    work()
    return false
  } catch {
    return true
  }
}

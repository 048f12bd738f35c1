/** The syntax of JavaScript's regular expressions (flag u) as tokenizers use it, and bounds of search time. */

export type PatternNode =
  /** One character: a class, an escape, or itself. */
  | { kind: 'character'; source: string }
  | { kind: 'sequence'; parts: readonly PatternNode[] }
  | { kind: 'either'; options: readonly PatternNode[] }
  | { kind: 'repeat'; body: PatternNode; min: number; max: number; greedy: boolean }
  | { kind: 'look'; body: PatternNode; behind: boolean; negative: boolean }

const MAX_DEPTH = 100
const character =
  /\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\[pP]\{[^}]*\}|\\u\{[0-9a-fA-F]+\}|\\u[0-9a-fA-F]{4}|\\x[0-9a-fA-F]{2}|\\c[A-Za-z]|\\[^1-9kbB]|\[(?:\\.|[^\\\]])*\]|[^\\^$*+?()[\]{}|]/suy
const quantifier = /(?:[*+?]|\{(\d+)(?:(,)(\d*))?\})(\??)/y
const group = /\((?:\?(?::|<?[=!]|<\w+>))?/y

/** @throws Error for unsupported syntax, such as references to groups */
export function parsePattern(source: string): PatternNode {
  let at = 0
  const take = (pattern: RegExp) => {
    pattern.lastIndex = at
    const found = pattern.exec(source)
    if (found) at = pattern.lastIndex
    return found
  }
  const either = (depth: number): PatternNode => {
    if (depth > MAX_DEPTH) throw new Error(`groups are nested deeper than ${MAX_DEPTH}`)
    const options = [sequence(depth)]
    while (source[at] === '|') {
      at++
      options.push(sequence(depth))
    }
    return options.length === 1 ? options[0]! : { kind: 'either', options }
  }
  const sequence = (depth: number): PatternNode => {
    const parts: PatternNode[] = []
    while (at < source.length && source[at] !== '|' && source[at] !== ')') parts.push(repeated(atom(depth)))
    return parts.length === 1 ? parts[0]! : { kind: 'sequence', parts }
  }
  const atom = (depth: number): PatternNode => {
    const single = take(character)
    if (single) return { kind: 'character', source: single[0] }
    const opening = take(group)?.[0]
    if (opening === undefined) throw new Error(`${JSON.stringify(source.slice(at, at + 2))} at ${at} is not built`)
    const body = either(depth + 1)
    if (source[at++] !== ')') throw new Error('a group has no end')
    const look = /^\(\?(<?)([=!])$/.exec(opening)
    return look ? { kind: 'look', body, behind: look[1] === '<', negative: look[2] === '!' } : body
  }
  const repeated = (body: PatternNode): PatternNode => {
    const found = take(quantifier)
    if (!found) return body
    const [text, least, comma, most, lazy] = found
    const min = least === undefined ? Number(text[0] === '+') : Number(least)
    const top = text[0] === '?' ? 1 : Number.POSITIVE_INFINITY
    const max = least === undefined ? top : comma === undefined ? min : most ? Number(most) : Number.POSITIVE_INFINITY
    return { kind: 'repeat', body, min, max, greedy: lazy === '' }
  }
  const node = either(0)
  if (at < source.length) throw new Error(`${JSON.stringify(source[at])} at ${at} has no beginning`)
  return node
}

/** Steps of a search in `n` characters: at most `factor * n ** (degree + 1)`, counting retries after failures. */
export interface Cost {
  factor: number
  degree: number
}

const ONE: Cost = { factor: 1, degree: 0 }

/**
 * An upper bound for a backtracking search, as JavaScript's engines do it.
 * @param mayFail whether something after the node can fail, so that other ways through it are tried
 */
export function costOf(node: PatternNode, mayFail = false): Cost {
  switch (node.kind) {
    case 'character':
      return ONE
    case 'sequence': {
      let fails = mayFail
      return node.parts.reduceRight((cost, part) => {
        const joined = both(cost, costOf(part, fails))
        fails ||= !isCertain(part)
        return joined
      }, ONE)
    }
    case 'either': {
      const costs = node.options.map((option) => costOf(option, mayFail))
      return {
        factor: costs.reduce((sum, { factor }) => sum + factor, 0),
        degree: Math.max(...costs.map(({ degree }) => degree)),
      }
    }
    case 'look':
      // A lookaround consumes nothing, so the next character is looked at again.
      return costOf(node.body, true)
    case 'repeat':
      return costOfRepeat(node, mayFail)
  }
}

function costOfRepeat({ body, min, max }: PatternNode & { kind: 'repeat' }, mayFail: boolean): Cost {
  if (max <= 1) {
    const { factor, degree } = costOf(body, mayFail)
    return { factor: factor + 1, degree }
  }
  const { factor, degree } = costOf(body, true)
  const isBounded = Number.isFinite(max)
  if (isFixed(body)) {
    const times = isBounded ? max : Math.max(1, min)
    return { factor: factor * times, degree: degree + Number(mayFail && !isBounded) }
  }
  // The same text can be split into repetitions in many ways.
  return { factor: isBounded ? factor ** max : Number.POSITIVE_INFINITY, degree: isBounded ? degree * max : degree }
}

function both(a: Cost, b: Cost): Cost {
  return { factor: a.factor * b.factor, degree: a.degree + b.degree }
}

/** Whether there is at most one way through a node from one position. */
function isFixed(node: PatternNode): boolean {
  switch (node.kind) {
    case 'sequence':
      return node.parts.every(isFixed)
    case 'repeat':
      return node.min === node.max && isFixed(node.body)
    default:
      return node.kind !== 'either'
  }
}

/** Whether a node matches at every position. */
export function isCertain(node: PatternNode): boolean {
  switch (node.kind) {
    case 'sequence':
      return node.parts.every(isCertain)
    case 'either':
      return node.options.some(isCertain)
    case 'repeat':
      return node.min === 0 || isCertain(node.body)
    default:
      return false
  }
}

/** Whether a node can match the empty text. */
export function canBeEmpty(node: PatternNode): boolean {
  switch (node.kind) {
    case 'character':
      return false
    case 'sequence':
      return node.parts.every(canBeEmpty)
    case 'either':
      return node.options.some(canBeEmpty)
    case 'repeat':
      return node.min === 0 || canBeEmpty(node.body)
    case 'look':
      return true
  }
}

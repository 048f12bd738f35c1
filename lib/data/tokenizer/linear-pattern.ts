import { canBeEmpty, type PatternNode } from './pattern-syntax.js'

/** Limit of states. No pattern of a tokenizer has as many. */
const MAX_STATES = 1000
/** Limit of programs: each keeps a byte for every character of a text. */
const MAX_PROGRAMS = 64

/** A state of a search, tried at every character. `next`, `first` and `second` are states. */
type State =
  | { kind: 'end' }
  | { kind: 'character'; set: number; next: number }
  | { kind: 'choice'; first: number; second: number }
  | { kind: 'look'; program: number; negative: boolean; next: number }

const KINDS = ['end', 'character', 'choice', 'look', 'look away'] as const
const [END, CHARACTER, CHOICE, LOOK] = [0, 1, 2, 3]

/**
 * One search. Lookarounds have searches of their own. A state comes after the states that it refers to at the same
 * character.
 */
interface Program {
  kinds: Uint8Array
  /**
   * References of a state: for a choice the first and the second state; otherwise a set or a program, and the next state.
   */
  first: Int32Array
  second: Int32Array
  start: number
  /** Whether it runs to the left, as a lookbehind does. */
  behind: boolean
}

/**
 * A regular expression whose search time grows only with the length of the text. From the last character to the first, it
 * computes for each state where a match from there would end. Its matches are those of a RegExp with the flags g and u.
 * Patterns that are always fast as a RegExp are better left to it.
 */
export class LinearPattern {
  private readonly sets: RegExp[] = []
  private readonly setIds = new Map<string, number>()
  /** Inner ones first, the whole pattern last. */
  private readonly programs: Program[] = []
  /** For each character, the sets that contain it. */
  private readonly known = new Map<string, Uint8Array>()
  private states = 0
  private steps = 0

  /** @throws Error for syntax that it does not support */
  constructor(node: PatternNode) {
    this.add(node, false)
  }

  /** Matches from left to right, as indices of UTF-16 units. */
  *spans(text: string): Generator<readonly [from: number, to: number]> {
    const characters = [...text]
    const sets = characters.map((char) => this.setsOf(char))
    const looks: Uint8Array[] = []
    const ends = new Int32Array(characters.length + 1)
    for (const program of this.programs.slice(0, -1)) {
      const found = new Uint8Array(ends.length)
      search(program, sets, looks, (place, end) => {
        found[place] = Number(end >= 0)
      })
      looks.push(found)
    }
    search(this.programs.at(-1)!, sets, looks, (place, end) => {
      ends[place] = end
    })
    const offsets = new Int32Array(characters.length + 1)
    for (const [i, { length }] of characters.entries()) offsets[i + 1] = offsets[i]! + length
    for (let at = 0; at <= characters.length; ) {
      const end = ends[at]!
      if (end >= 0) yield [offsets[at]!, offsets[end]!]
      at = Math.max(at + 1, end)
    }
  }

  private setsOf(char: string): Uint8Array {
    let found = this.known.get(char)
    if (!found) {
      found = Uint8Array.from(this.sets, (set) => Number(set.test(char)))
      this.known.set(char, found)
    }
    return found
  }

  /** Adds the program of a pattern, and returns its number. */
  private add(node: PatternNode, behind: boolean): number {
    const states: State[] = []
    const put = (state: State) => {
      if (++this.states > MAX_STATES) throw new Error(`it has more than ${MAX_STATES} states`)
      return states.push(state) - 1
    }
    const compile = (one: PatternNode, next: number): number => {
      if (++this.steps > 10 * MAX_STATES) throw new Error('it repeats too much')
      switch (one.kind) {
        case 'character':
          return put({ kind: 'character', set: this.setOf(one.source), next })
        case 'sequence': {
          const parts = behind ? one.parts : one.parts.toReversed()
          return parts.reduce((after, part) => compile(part, after), next)
        }
        case 'either': {
          const [last, ...others] = one.options.map((option) => compile(option, next)).reverse()
          return others.reduce((second, first) => put({ kind: 'choice', first, second }), last!)
        }
        case 'look': {
          const program = this.add(one.body, one.behind)
          return put({ kind: 'look', program, negative: one.negative, next })
        }
        case 'repeat':
          return compileRepeat(one, next)
      }
    }
    const choice = (greedy: boolean, body: number, next: number) =>
      put({ kind: 'choice', first: greedy ? body : next, second: greedy ? next : body })
    const compileRepeat = ({ body, min, max, greedy }: PatternNode & { kind: 'repeat' }, next: number): number => {
      if (min > MAX_STATES || (max !== Number.POSITIVE_INFINITY && max > MAX_STATES)) {
        throw new Error(`it repeats more than ${MAX_STATES} times`)
      }
      // An engine gives up empty repetitions and tries other ways instead.
      if (max > min && canBeEmpty(body)) throw new Error('it repeats what can be empty')
      let start = next
      if (max === Number.POSITIVE_INFINITY) {
        start = choice(greedy, next, next)
        const loop = states[start] as State & { kind: 'choice' }
        loop[greedy ? 'first' : 'second'] = compile(body, start)
      } else {
        for (let i = min; i < max; i++) start = choice(greedy, compile(body, start), next)
      }
      for (let i = 0; i < min; i++) start = compile(body, start)
      return start
    }
    const start = compile(node, put({ kind: 'end' }))
    if (this.programs.length === MAX_PROGRAMS) throw new Error(`it looks around more than ${MAX_PROGRAMS} times`)
    this.programs.push(programOf(states, start, behind))
    return this.programs.length - 1
  }

  private setOf(source: string): number {
    const known = this.setIds.get(source)
    if (known !== undefined) return known
    this.setIds.set(source, this.sets.length)
    return this.sets.push(new RegExp(`^${source}$`, 'u')) - 1
  }
}

/** The states. Each comes after those that it refers to at the same character. */
function orderOf(states: readonly State[]): number[] {
  const order: number[] = []
  const seen = new Set<number>()
  const visit = (at: number) => {
    if (seen.has(at)) return
    seen.add(at)
    const state = states[at]!
    if (state.kind === 'choice') {
      visit(state.first)
      visit(state.second)
    }
    if (state.kind === 'look') visit(state.next)
    order.push(at)
  }
  for (const at of states.keys()) visit(at)
  return order
}

function programOf(states: readonly State[], start: number, behind: boolean): Program {
  const order = orderOf(states)
  const number = new Int32Array(states.length)
  for (const [i, at] of order.entries()) number[at] = i
  const { length } = states
  const program = { kinds: new Uint8Array(length), first: new Int32Array(length), second: new Int32Array(length) }
  for (const [at, state] of states.entries()) {
    const i = number[at]!
    const name = state.kind === 'look' && state.negative ? 'look away' : state.kind
    program.kinds[i] = KINDS.indexOf(name)
    if (state.kind === 'character') program.first[i] = state.set
    if (state.kind === 'look') program.first[i] = state.program
    if (state.kind === 'choice') program.first[i] = number[state.first]!
    if (state.kind !== 'end') program.second[i] = number[state.kind === 'choice' ? state.second : state.next]!
  }
  return { ...program, start: number[start]!, behind }
}

/**
 * For every position between two characters: the end of a match that begins there, or -1. For a lookbehind: the beginning
 * of a match that ends there.
 * @param sets for every character, the sets that contain it
 * @param looks for every earlier program, whether it matches at a position
 */
function search(
  program: Program,
  sets: readonly Uint8Array[],
  looks: readonly Uint8Array[],
  tell: (place: number, end: number) => void,
): void {
  const { kinds, first, second, start, behind } = program
  const { length } = sets
  let after = new Int32Array(kinds.length).fill(-1)
  let here = new Int32Array(kinds.length)
  for (let step = 0; step <= length; step++) {
    const place = behind ? step : length - step
    const own = sets[behind ? place - 1 : place]
    for (let i = 0; i < kinds.length; i++) {
      switch (kinds[i]) {
        case END:
          here[i] = place
          break
        case CHARACTER:
          here[i] = own !== undefined && own[first[i]!] === 1 ? after[second[i]!]! : -1
          break
        case CHOICE:
          here[i] = here[first[i]!]! >= 0 ? here[first[i]!]! : here[second[i]!]!
          break
        default: {
          const sees = looks[first[i]!]![place] === 1
          here[i] = sees === (kinds[i] === LOOK) ? here[second[i]!]! : -1
        }
      }
    }
    tell(place, here[start]!)
    const previous = after
    after = here
    here = previous
  }
}

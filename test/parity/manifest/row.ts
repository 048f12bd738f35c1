export type Section =
  | 'losses'
  | 'crossEncoderLosses'
  | 'sparseLosses'
  | 'multiVectorLosses'
  | 'evaluation'
  | 'crossEncoderEvaluation'
  | 'sparseEvaluation'
  | 'multiVectorEvaluation'
  | 'samplers'
  | 'arguments'
  | 'training'
  | 'modules'
  | 'util'
  | 'datasets'
  | 'readers'

export interface Row {
  section: Section
  /** sentence-transformers' names; empty: it has nothing of the kind. */
  python: readonly string[]
  /** The names here. */
  ours: readonly string[]
  state: 'built' | 'built differently' | 'not built' | 'only here'
  /** What is not built of it, what is different, or why there is nothing: in a few words. */
  note: string
  /** Where the expected values come from: paths in the repository, the script that makes them first. */
  golden: readonly string[]
  /** The tests that hold it against them. */
  tests: readonly string[]
  /** Section and name in dist/report, and of what is measured there the one part that counts. */
  report?: readonly [section: string, name: string, part?: string]
}

type Rest = Partial<Pick<Row, 'note' | 'golden' | 'tests' | 'state'>> & { report?: Row['report'] }
const list = (names: string | readonly string[]): readonly string[] => (typeof names === 'string' ? [names] : names)

/** A row of something that is built. */
export function built(
  section: Section,
  python: string | readonly string[],
  ours: string | readonly string[],
  rest: Rest,
): Row {
  const { state = rest.note === undefined ? 'built' : 'built differently' } = rest
  return { section, python: list(python), ours: list(ours), note: '', golden: [], tests: [], ...rest, state }
}

export function notBuilt(section: Section, python: string | readonly string[], note: string): Row {
  return { section, python: list(python), ours: [], state: 'not built', note, golden: [], tests: [] }
}

/** A row of something that sentence-transformers does not have. */
export function onlyHere(section: Section, ours: string | readonly string[], note: string, tests: string[]): Row {
  return { section, python: [], ours: list(ours), state: 'only here', note, golden: [], tests }
}

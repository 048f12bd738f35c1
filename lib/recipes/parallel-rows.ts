/** Parallel sentences: a text and its translations, by pairs of languages. */
import type { Dataset } from '../data/dataset.js'
import { Random } from '../data/random.js'
import { listed } from '../data/readers/names.js'
import { SentenceTorchError } from '../errors.js'

/** Rows on which a pair of languages is measured, as in sentence-transformers' example. */
const MOST_HELD_OUT = 1000

/** Texts and their translations, of one pair of languages. */
export interface Parallel {
  sources: string[]
  targets: string[]
}

/** By the names of the columns: `english-german`. */
export type ParallelSets = ReadonlyMap<string, Parallel>

/**
 * The pairs of all rows: the first column of texts is the source, each other one a translation. A cell of blanks is no translation.
 * A pair that stands there twice counts once.
 * @throws ERR_INVALID_DATA for rows with fewer than two columns of texts, and where no row has a translation
 */
export function parallelSets(sets: readonly Dataset[]): { pairs: ParallelSets; withoutTranslation: number } {
  const pairs = new Map<string, Parallel>()
  const seen = new Set<string>()
  let withoutTranslation = 0
  for (const rows of sets) {
    const [source, ...targets] = rows.textColumns.filter((name) => rows.columnKind(name) === 'text')
    if (source === undefined || targets.length === 0) {
      const message = `Expected a column of texts and at least one of their translations, found ${listed(rows.columnNames)}`
      throw new SentenceTorchError('ERR_INVALID_DATA', message)
    }
    const texts = rows.texts(source)
    for (const target of targets) {
      const name = `${source}-${target}`
      const own = pairs.get(name) ?? { sources: [], targets: [] }
      pairs.set(name, own)
      for (const [row, translation] of rows.texts(target).entries()) {
        const text = texts[row]!
        const key = JSON.stringify([name, text, translation])
        if (text.trim() === '' || translation.trim() === '') withoutTranslation++
        else if (!seen.has(key)) {
          seen.add(key)
          own.sources.push(text)
          own.targets.push(translation)
        }
      }
    }
  }
  const empty = [...pairs].find(([, { sources }]) => sources.length === 0)
  if (empty)
    throw new SentenceTorchError('ERR_INVALID_DATA', `Expected translations in ${empty[0]}, found none in any row`)
  return { pairs, withoutTranslation }
}

export interface HeldOutParallel {
  train: ParallelSets
  dev: ParallelSets
  test: ParallelSets
}

/**
 * Holds out sources, half for dev and half for test, with all of their translations, so that training sees neither. At most 1,000 of a
 * pair of languages measure; the others are left out.
 * @param share of the sources; 0 holds out none
 * @throws ERR_INVALID_DATA where the share is less than a source for each
 */
export function holdOutParallel(pairs: ParallelSets, share: number, seed: number): HeldOutParallel {
  const sources = [...new Set([...pairs.values()].flatMap((each) => each.sources))]
  const half = Math.floor((sources.length * share) / 2)
  if (share > 0 && half < 2) {
    const message = `holdOut ${share} of ${sources.length} different sources is too few to measure a model on: take a larger share, or 0`
    throw new SentenceTorchError('ERR_INVALID_DATA', message)
  }
  const random = new Random(seed, 0, 0)
  for (let i = sources.length - 1; i > 0; i--) {
    const other = random.below(i + 1)
    ;[sources[i], sources[other]] = [sources[other]!, sources[i]!]
  }
  const role = new Map(sources.slice(0, 2 * half).map((text, i) => [text, i < half ? 'dev' : 'test']))
  const only = (wanted: string | undefined, most: number): ParallelSets => {
    const kept = [...pairs].map(([name, { sources: texts, targets }]): [string, Parallel] => {
      const rows = [...texts.keys()].filter((row) => role.get(texts[row]!) === wanted).slice(0, most)
      return [name, { sources: rows.map((row) => texts[row]!), targets: rows.map((row) => targets[row]!) }]
    })
    return new Map(kept.filter(([, { sources: texts }]) => texts.length > 0))
  }
  return {
    train: only(undefined, Number.POSITIVE_INFINITY),
    dev: only('dev', MOST_HELD_OUT),
    test: only('test', MOST_HELD_OUT),
  }
}

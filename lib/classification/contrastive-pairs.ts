import { Dataset } from '../data/dataset.js'
import { type Pieces, runInSlices } from '../data/time-slice.js'
import { type ClassificationData, classesOf, classNumbers } from '../evaluation/class-labels.js'
import { checkColumns, invalidData } from '../evaluation/common.js'
import { MersenneTwister } from '../evaluation/mteb/mersenne-twister.js'
import { choice, integer, type OptionTable, optionValues } from '../options/kinds.js'

/** How many pairs of each kind are taken: see {@link contrastivePairs}. */
export type PairSampling = 'oversampling' | 'undersampling' | 'unique'

export interface ContrastivePairsOptions {
  /** Default `oversampling`. */
  sampling?: PairSampling
  /** Takes this many pairs of either kind for each text, whatever `sampling` says. Default: none. */
  numIterations?: number
  /** Draws pairs only until there are enough for this many. Default: all. */
  maxPairs?: number
  /** Of their order. Default 42. */
  seed?: number
}

export const PAIR_OPTIONS = {
  sampling: choice(['oversampling', 'undersampling', 'unique'], 'oversampling'),
  numIterations: integer(undefined, { least: 1 }),
  maxPairs: integer(undefined, { least: 2 }),
  seed: integer(42, { least: 0, most: 2 ** 32 - 1 }),
} satisfies OptionTable<ContrastivePairsOptions>

/** Texts whose pairs fit into memory. */
const MOST_TEXTS = 8192
/** Pairs between two looks at the clock. */
const STRIDE = 16384

/**
 * Pairs of texts for contrastive training: `sentence1`, `sentence2`, `label` (1 for texts of one class, 0 for texts of two), in
 * turn. Every text is also paired with itself. `unique` takes every pair once; `oversampling` repeats those of the smaller kind
 * until there are as many as of the other; `undersampling` leaves the surplus of the larger kind out.
 *
 * ```ts
 * const pairs = await contrastivePairs({ texts: ['so good', 'great', 'awful'], labels: ['good', 'good', 'bad'] })
 * ```
 * Source: SetFit `ContrastiveDataset`, whose pairs with one seed are the same. Paper: https://arxiv.org/abs/2209.11055.
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION; ERR_INVALID_DATA for fewer than two classes, or more than 8,192 texts
 */
export async function contrastivePairs(
  data: ClassificationData,
  options: ContrastivePairsOptions = {},
): Promise<Dataset> {
  const where = 'contrastivePairs'
  const given = optionValues(where, options, PAIR_OPTIONS)
  const { texts, labels } = data
  checkColumns(where, { texts, labels }, ['texts'])
  const classes = classNumbers(labels, classesOf(labels, where), where)
  if (texts.length > MOST_TEXTS) {
    throw invalidData(
      `${where}: expected at most ${MOST_TEXTS} texts, whose pairs are many, but received ${texts.length}`,
    )
  }
  const most = given.maxPairs === undefined ? Number.POSITIVE_INFINITY : Math.floor(given.maxPairs / 2)
  const [positives, negatives] = await runInSlices(drawPairs(classes, most, given.seed))
  const [ofPositives, ofNegatives] = counts(positives.length, negatives.length, texts.length, given)
  const rows: number[] = []
  for (let i = 0; i < Math.max(ofPositives, ofNegatives); i++) {
    if (i < ofPositives) rows.push(positives[i % positives.length]!, 1)
    if (i < ofNegatives) rows.push(negatives[i % negatives.length]!, 0)
  }
  const column = <T>(value: (pair: number, label: number) => T) =>
    Array.from({ length: rows.length / 2 }, (_, i) => value(rows[2 * i]!, rows[2 * i + 1]!))
  const n = texts.length
  return Dataset.fromColumns({
    sentence1: column((pair) => texts[Math.floor(pair / n)]!),
    sentence2: column((pair) => texts[pair % n]!),
    label: column((_, label) => label),
  })
}

/** Pairs (first · texts + second) of one class and of two, each kind until there are `most`. */
function* drawPairs(classes: Int32Array, most: number, seed: number): Pieces<never, [number[], number[]]> {
  const n = classes.length
  const pairs = new Int32Array((n * (n + 1)) / 2)
  let at = 0
  for (let i = 0; i < n; i++) {
    for (let j = i; j < n; j++) pairs[at++] = i * n + j
    yield
  }
  const random = new MersenneTwister(seed)
  for (let end = pairs.length; end > 1; end -= STRIDE) {
    random.shuffle(pairs, end, Math.max(1, end - STRIDE))
    yield
  }
  const [positives, negatives]: [number[], number[]] = [[], []]
  for (const [i, pair] of pairs.entries()) {
    const kind = classes[Math.floor(pair / n)] === classes[pair % n] ? positives : negatives
    if (kind.length < most) kind.push(pair)
    if (positives.length >= most && negatives.length >= most) break
    if (i % STRIDE === 0) yield
  }
  return [positives, negatives]
}

function counts(
  positives: number,
  negatives: number,
  texts: number,
  { sampling, numIterations }: { sampling: PairSampling; numIterations: number | undefined },
): [number, number] {
  if (numIterations !== undefined) return [numIterations * texts, numIterations * texts]
  if (sampling === 'unique') return [positives, negatives]
  const both = sampling === 'oversampling' ? Math.max(positives, negatives) : Math.min(positives, negatives)
  return [both, both]
}

/** Rows of natural-language inference as the recipes train on them. */
import { Dataset } from '../data/dataset.js'
import { Random } from '../data/random.js'
import { describe, invalidArgument, SentenceTorchError } from '../errors.js'
import { checkInteger, checkOneOf, checkOptions } from '../options.js'

/** The classes of SNLI and MultiNLI, by number. */
export const NLI_LABELS = ['entailment', 'neutral', 'contradiction'] as const

/** The names of premise and hypothesis in data sets of this kind. */
const COLUMNS = [
  ['premise', 'hypothesis'],
  ['sentence1', 'sentence2'],
] as const

/** What stands beside an entailed pair: a contradiction of its premise, the hypothesis of any other premise, or nothing. */
export type NliNegatives = 'hard' | 'soft' | 'none'

/**
 * One dataset of several: columns `premise`, `hypothesis` and `label` of each (others, such as `idx`, are left out), one after the
 * other. Rows without a gold label (−1) are dropped and counted.
 * @throws ERR_INVALID_DATA for datasets without these columns, and for labels other than 0 (entailment), 1 (neutral) and 2
 *   (contradiction), with dataset and row
 */
export async function nliRows(datasets: Dataset | readonly Dataset[]): Promise<{ dataset: Dataset; dropped: number }> {
  const alike: Dataset[] = []
  let dropped = 0
  for (const [i, given] of [datasets].flat().entries()) {
    const labelled = await withNliColumns(given, i).dropUnlabelled()
    const labels = labelled.dataset.labels()!
    const wrong = labels.findIndex((label) => label !== 0 && label !== 1 && label !== 2)
    if (wrong !== -1) {
      const message = `Expected 0 (entailment), 1 (neutral) or 2 (contradiction) as label of dataset ${i}, row ${wrong} of those with a label, found ${describe(labels[wrong])}`
      throw new SentenceTorchError('ERR_INVALID_DATA', message)
    }
    alike.push(labelled.dataset)
    dropped += labelled.dropped
  }
  if (alike.length === 0) throw invalidArgument('datasets', 'a Dataset or several', datasets)
  return { dataset: await Dataset.concatenate(alike), dropped }
}

function withNliColumns(dataset: Dataset, i: number): Dataset {
  const names = COLUMNS.find((pair) => pair.every((name) => dataset.columnNames.includes(name)))
  const { labelColumn } = dataset
  if (names === undefined || labelColumn === undefined) {
    const message = `Expected the columns premise, hypothesis and label in dataset ${i}, found ${dataset.columnNames.join(', ')}`
    throw new SentenceTorchError('ERR_INVALID_DATA', message)
  }
  const [premise, hypothesis] = names
  return dataset
    .selectColumns([premise, hypothesis, labelColumn])
    .renameColumns({ [premise]: 'premise', [hypothesis]: 'hypothesis', [labelColumn]: 'label' })
}

export interface NliPairsOptions {
  /** Default `hard`. */
  negatives?: NliNegatives
  /** Of the choice of negatives. Default 0. */
  seed?: number
}

/**
 * The entailed pairs of NLI rows for a ranking loss: columns `anchor` (the premise), `positive` (the hypothesis) and `negative`.
 * A `hard` negative is a contradiction of the same premise; pairs whose premise has none are left out. A `soft` one is a hypothesis
 * of any other premise.
 * @param dataset columns `premise`, `hypothesis` and `label`, as {@link nliRows} gives them
 * @returns the pairs, and the number of entailed pairs left out because they have no negative
 * @throws ERR_INVALID_DATA when nothing is left
 */
export async function nliPairs(
  dataset: Dataset,
  options: NliPairsOptions = {},
): Promise<{ dataset: Dataset; withoutNegative: number }> {
  checkOptions('nliPairs', options, ['negatives', 'seed'])
  const { negatives = 'hard', seed = 0 } = options
  checkOneOf('nliPairs negatives', negatives, ['hard', 'soft', 'none'])
  checkInteger('nliPairs seed', seed, 0)
  const [premises, hypotheses] = [dataset.texts('premise'), dataset.texts('hypothesis')]
  const labels = dataset.labels()!
  const random = new Random(seed)
  const draw = negatives === 'none' ? undefined : drawer[negatives](premises, hypotheses, labels, random)
  const columns: Record<string, string[]> = { anchor: [], positive: [], ...(draw && { negative: [] }) }
  let withoutNegative = 0
  for (const [row, label] of labels.entries()) {
    if (label !== 0) continue
    const negative = draw?.(premises[row]!)
    if (draw && negative === undefined) {
      withoutNegative++
      continue
    }
    columns.anchor!.push(premises[row]!)
    columns.positive!.push(hypotheses[row]!)
    if (negative !== undefined) columns.negative!.push(negative)
  }
  if (columns.anchor!.length === 0) {
    const hint = withoutNegative > 0 ? "; negatives: 'soft' takes hypotheses of other premises" : ''
    const found = `${labels.length} rows, ${withoutNegative + columns.anchor!.length} of them entailed`
    throw new SentenceTorchError(
      'ERR_INVALID_DATA',
      `Expected entailed pairs${negatives === 'hard' ? ' whose premise also has a contradiction' : ''}, found ${found}${hint}`,
    )
  }
  return { dataset: Dataset.fromColumns(columns), withoutNegative }
}

type Draw = (premise: string) => string | undefined

const drawer = {
  hard(premises: readonly string[], hypotheses: readonly string[], labels: readonly unknown[], random: Random): Draw {
    const contradictions = new Map<string, string[]>()
    for (const [row, label] of labels.entries()) {
      if (label !== 2) continue
      const premise = premises[row]!
      contradictions.set(premise, [...(contradictions.get(premise) ?? []), hypotheses[row]!])
    }
    return (premise) => {
      const found = contradictions.get(premise)
      return found?.[random.below(found.length)]
    }
  },
  soft(premises: readonly string[], hypotheses: readonly string[], _labels: readonly unknown[], random: Random): Draw {
    const hasOthers = new Set(premises).size > 1
    return (premise) => {
      if (!hasOthers) return undefined
      for (;;) {
        const row = random.below(premises.length)
        if (premises[row] !== premise) return hypotheses[row]
      }
    }
  },
}

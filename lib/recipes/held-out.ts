/** Rows that are held out of training, and the evaluators that measure a model on them. */
import type { Dataset } from '../data/dataset.js'
import { Random } from '../data/random.js'
import { SentenceTorchError } from '../errors.js'
import { BinaryClassificationEvaluator } from '../evaluation/binary-classification.js'
import { EmbeddingSimilarityEvaluator } from '../evaluation/embedding-similarity.js'
import type { Evaluator } from '../evaluation/evaluator.js'
import { InformationRetrievalEvaluator } from '../evaluation/information-retrieval.js'
import { TripletEvaluator } from '../evaluation/triplet.js'
import type { RowKind } from './suggest-loss.js'

/** Fewer rows measure next to nothing. */
const LEAST_ROWS = 4

export interface HeldOut {
  train: Dataset
  dev: Dataset
  test: Dataset
}

/**
 * Divides rows: `share` of them become dev and test, half each. Rows with the same first text stay together, so that training never
 * sees a text of the others. Rows of classes have no such groups.
 * @throws ERR_INVALID_DATA for too few rows
 */
export async function holdOut(rows: Dataset, kind: RowKind, share: number, seed: number): Promise<HeldOut> {
  const [first] = rows.textColumns
  const groups = kind === 'classes' || first === undefined ? {} : { groupBy: first }
  const out = Math.ceil(rows.length * share)
  if (rows.length - out < 1) {
    const message = `holdOut ${share} of ${rows.length} rows leaves none to train on: take a smaller share`
    throw new SentenceTorchError('ERR_INVALID_DATA', message)
  }
  if (out < 2 * LEAST_ROWS) {
    const message =
      `holdOut ${share} of ${rows.length} rows is too few to measure a model on: take a larger share, or 0 and an evaluation ` +
      'with data of its own (test)'
    throw new SentenceTorchError('ERR_INVALID_DATA', message)
  }
  const { train, test: held } = await rows.trainTestSplit({ testSize: share, seed, ...groups })
  const { train: dev, test } = await held.trainTestSplit({ testSize: 0.5, seed, ...groups })
  return { train, dev, test }
}

/**
 * What measures a model on rows; undefined where the rows say nothing of similarity.
 * @param all the rows that these are a part of: among few texts every model finds the right one
 */
export function evaluatorOfRows(
  rows: Dataset,
  kind: RowKind,
  name: string,
  seed: number,
  all: Dataset,
): Evaluator | undefined {
  const [texts1, texts2, ...others] = rows.textColumns.map((column) => rows.texts(column)) as [
    readonly string[],
    readonly string[],
    ...(readonly string[])[],
  ]
  const labels = () => rows.labels() as readonly number[]
  switch (kind) {
    case 'scores':
      return new EmbeddingSimilarityEvaluator({ sentences1: texts1, sentences2: texts2, scores: labels(), name })
    case 'binary':
      return new BinaryClassificationEvaluator({ sentences1: texts1, sentences2: texts2, labels: labels(), name })
    case 'pairs':
      return retrieval(texts1, [...texts2, ...sample(all.texts(rows.textColumns[1]!))], name)
    case 'triplets':
    case 'margins':
      return new TripletEvaluator({ anchors: texts1, positives: texts2, negatives: others[0]!, name })
    case 'classes':
      return ofClasses(texts1, labels(), name, seed)
    default:
      return undefined
  }
}

/** Texts beside those of the held-out rows that their anchors are searched among, at most. */
const MOST_OTHERS = 2000

function sample(texts: readonly string[]): readonly string[] {
  const step = Math.ceil(texts.length / MOST_OTHERS)
  return texts.filter((_, i) => i % step === 0)
}

/** Each anchor looks for its positives, which begin `texts`, among all of these. */
function retrieval(anchors: readonly string[], documents: readonly string[], name: string): Evaluator {
  const ids = (texts: readonly string[], prefix: string) =>
    new Map([...new Set(texts)].map((text, i) => [text, `${prefix}${i}`]))
  const [queries, corpus] = [ids(anchors, 'q'), ids(documents, 'd')]
  const relevantDocs = new Map<string, Set<string>>()
  anchors.forEach((anchor, row) => {
    const query = queries.get(anchor)!
    const relevant = relevantDocs.get(query) ?? new Set()
    relevantDocs.set(query, relevant.add(corpus.get(documents[row]!)!))
  })
  const byId = (texts: ReadonlyMap<string, string>) => new Map([...texts].map(([text, id]) => [id, text]))
  return new InformationRetrievalEvaluator({ queries: byId(queries), corpus: byId(corpus), relevantDocs, name })
}

/** Of each text another one of its class and one of another class, by the seed. */
function ofClasses(
  texts: readonly string[],
  labels: readonly number[],
  name: string,
  seed: number,
): Evaluator | undefined {
  const rows = new Map<number, number[]>()
  labels.forEach((label, row) => {
    const own = rows.get(label)
    if (own) own.push(row)
    else rows.set(label, [row])
  })
  const random = new Random(seed, 0, 0)
  const triplets: [string, string, string][] = []
  labels.forEach((label, row) => {
    const own = rows.get(label)!
    if (own.length === 1 || own.length === labels.length) return
    const drawn = own[random.below(own.length - 1)]!
    // The last one stands for the text itself.
    const positive = drawn === row ? own.at(-1)! : drawn
    let negative = random.below(labels.length)
    while (labels[negative] === label) negative = random.below(labels.length)
    triplets.push([texts[row]!, texts[positive]!, texts[negative]!])
  })
  if (triplets.length === 0) return undefined
  const column = (i: 0 | 1 | 2) => triplets.map((triplet) => triplet[i])
  return new TripletEvaluator({ anchors: column(0), positives: column(1), negatives: column(2), name })
}

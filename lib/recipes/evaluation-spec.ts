/** What a config and the program may say of an evaluation, and the evaluator that comes of it. */
import { existsSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { isAbsolute, join } from 'node:path'
import type { Dataset } from '../data/dataset.js'
import { isDataset } from '../data/feed.js'
import { listed } from '../data/readers/names.js'
import { describe, invalidArgument, SentenceTorchError } from '../errors.js'
import type { BinaryClassificationEvaluatorOptions } from '../evaluation/binary-classification.js'
import type { CrossEncoderEvaluator } from '../evaluation/cross-encoder/common.js'
import type { EmbeddingSimilarityEvaluatorOptions } from '../evaluation/embedding-similarity.js'
import type { Evaluator } from '../evaluation/evaluator.js'
import type { InformationRetrievalEvaluatorOptions } from '../evaluation/information-retrieval.js'
import type { TripletEvaluatorOptions } from '../evaluation/triplet.js'
import { checkOptions, checkType, isPlainObject } from '../options.js'
import { checkDataSpec, type DataSpec } from './data-spec.js'
import { labelsOf } from './labels.js'
import { type LoadDataOptions, loadData } from './load-data.js'

/** One or several evaluations; several become a SequentialEvaluator, whose score is that of the last one. */
export interface EvaluationSpec {
  /** Prefix of the metrics' names. Default: the kind of the evaluation. */
  name?: string
  /** Two columns of texts and their similarity: Spearman's correlation (EmbeddingSimilarityEvaluator). */
  sts?: DataSpec | Dataset
  /** Two columns of texts and 0 or 1: average precision (BinaryClassificationEvaluator). */
  pairs?: DataSpec | Dataset
  /** Anchor, positive, negative: accuracy (TripletEvaluator). */
  triplets?: DataSpec | Dataset
  /** Premise, hypothesis and 0, 1, 2: of each premise an entailment and a contradiction as a triplet: accuracy. */
  nli?: DataSpec | Dataset
  /** A folder in the BEIR layout: NDCG@10 (InformationRetrievalEvaluator). */
  beir?: string
  /** A folder with train and test of Banking77 (.jsonl, .tsv, .csv, .parquet): accuracy, as MTEB measures it. */
  banking77?: string
}

export const EVALUATION_KINDS = ['sts', 'pairs', 'triplets', 'nli', 'beir', 'banking77'] as const
export type EvaluationKind = (typeof EVALUATION_KINDS)[number]

/** What each kind is, for help and schema. */
export const EVALUATION_DOCS: Readonly<Record<EvaluationKind, string>> = {
  sts: "Two columns of texts and their similarity: Spearman's correlation.",
  pairs: 'Two columns of texts and 0 or 1: average precision, accuracy, F1.',
  triplets: 'Anchor, positive, negative: the share whose positive is nearer.',
  nli: 'Premise, hypothesis and 0, 1, 2: an entailment and a contradiction of each premise, as triplets.',
  beir: 'A folder in the BEIR layout (corpus.jsonl, queries.jsonl, qrels): NDCG@10, MRR, MAP, recall.',
  banking77: 'A folder with train and test of Banking77: accuracy and F1, as MTEB measures them.',
}

/** @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION */
export function checkEvaluationSpec(spec: unknown, where: string): EvaluationSpec {
  if (!isPlainObject(spec)) {
    throw invalidArgument(where, `an object with ${EVALUATION_KINDS.join(', ')}`, spec)
  }
  checkOptions(where, spec, ['name', ...EVALUATION_KINDS])
  checkType(`${where} name`, spec.name, 'string')
  const kinds = kindsOf(spec)
  if (kinds.length === 0) throw invalidArgument(where, `one of ${EVALUATION_KINDS.join(', ')}`, spec)
  for (const kind of kinds) {
    if (kind === 'beir' || kind === 'banking77') checkType(`${where} ${kind}`, spec[kind], 'string')
    else if (!isDataset(spec[kind] as Dataset)) checkDataSpec(spec[kind], `${where} ${kind}`)
  }
  return spec
}

function kindsOf(spec: EvaluationSpec): EvaluationKind[] {
  return EVALUATION_KINDS.filter((kind) => spec[kind] !== undefined && spec[kind] !== null)
}

/**
 * The evaluator of a spec.
 * @throws what {@link checkEvaluationSpec} throws; ERR_NOT_FOUND; ERR_INVALID_DATA for files whose columns do not fit
 */
export function loadEvaluator(spec: EvaluationSpec, options: LoadDataOptions = {}): Promise<Evaluator> {
  return load(spec, options, {
    ofRows: (...row) => ofRows(DENSE, ...row),
    ofFolder: (kind, folder, name) => (kind === 'beir' ? beir(DENSE, folder, name) : banking77(folder, name, options)),
  })
}

/** Classes of models, beside SentenceTransformer, whose folders name them. */
export type TokenModelClass = 'SparseEncoder' | 'MultiVectorEncoder'

/**
 * The evaluator of a spec for models of another class: its own evaluators, of `beir`, `triplets` and `nli`, of a SparseEncoder `sts` and
 * `pairs`, too.
 * @throws as {@link loadEvaluator}; ERR_INVALID_ARGUMENT for what the class has no evaluator for
 */
export function loadEvaluatorOf(
  model: TokenModelClass,
  spec: EvaluationSpec,
  options: LoadDataOptions = {},
): Promise<Evaluator> {
  const classes = model === 'SparseEncoder' ? SPARSE : MULTI_VECTOR
  return load(spec, options, {
    ofRows: (...row) => ofRows(classes, ...row),
    ofFolder: async (kind, folder, name) => {
      if (kind === 'beir') return beir(classes, folder, name)
      throw new SentenceTorchError(
        'ERR_INVALID_ARGUMENT',
        `${kind} needs one dense embedding for each text, which a ${model} has not`,
      )
    },
  })
}

/** The evaluators of a class of models. */
interface Classes {
  similarity(options: EmbeddingSimilarityEvaluatorOptions): Promise<Evaluator>
  pairs(options: BinaryClassificationEvaluatorOptions): Promise<Evaluator>
  triplets(options: TripletEvaluatorOptions): Promise<Evaluator>
  retrieval(options: InformationRetrievalEvaluatorOptions): Promise<Evaluator>
}

const DENSE: Classes = {
  similarity: async (options) =>
    new (await import('../evaluation/embedding-similarity.js')).EmbeddingSimilarityEvaluator(options),
  pairs: async (options) =>
    new (await import('../evaluation/binary-classification.js')).BinaryClassificationEvaluator(options),
  triplets: async (options) => new (await import('../evaluation/triplet.js')).TripletEvaluator(options),
  retrieval: async (options) =>
    new (await import('../evaluation/information-retrieval.js')).InformationRetrievalEvaluator(options),
}

// Evaluators of other models: whoever loads them gives them such a model.
const sparse = () => import('../evaluation/sparse/index.js')
const SPARSE: Classes = {
  similarity: async (options) => evaluatorOf(new (await sparse()).SparseEmbeddingSimilarityEvaluator(options)),
  pairs: async (options) => evaluatorOf(new (await sparse()).SparseBinaryClassificationEvaluator(options)),
  triplets: async (options) => evaluatorOf(new (await sparse()).SparseTripletEvaluator(options)),
  retrieval: async (options) => evaluatorOf(new (await sparse()).SparseInformationRetrievalEvaluator(options)),
}

const multiVector = () => import('../evaluation/multi-vector/index.js')
const MULTI_VECTOR: Classes = {
  similarity: () => noPairs('sts'),
  pairs: () => noPairs('pairs'),
  triplets: async ({ mainSimilarity: _, similarityFnNames: __, margin: ___, ...options }) =>
    evaluatorOf(new (await multiVector()).MultiVectorTripletEvaluator(options)),
  retrieval: async ({ scoreFunctions: _, ...options }) =>
    evaluatorOf(new (await multiVector()).MultiVectorInformationRetrievalEvaluator(options)),
}

function evaluatorOf(evaluator: object): Evaluator {
  return evaluator as Evaluator
}

async function noPairs(kind: string): Promise<never> {
  const message = `${kind} compares two texts of one kind, and a MultiVectorEncoder queries with documents: triplets and beir measure it`
  throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
}

/**
 * The evaluator of a spec for cross-encoders: correlation (`sts`), classification (`pairs`, `nli`), reranking of each anchor's texts
 * (`triplets`) or of the 100 best documents by words (`beir`).
 * @throws as {@link loadEvaluator}; ERR_INVALID_ARGUMENT for `banking77`
 */
export function loadPairEvaluator(spec: EvaluationSpec, options: LoadDataOptions = {}): Promise<CrossEncoderEvaluator> {
  return load(spec, options, {
    ofRows: async (kind, dataset, source, name) => {
      const texts = textColumns(dataset, source, kind === 'triplets' ? 3 : 2)
      const label = dataset.labelColumn
      if (kind !== 'triplets') numberLabels(dataset, source)
      const names = dataset.textColumns.filter((column) => dataset.columnKind(column) === 'text').slice(0, texts.length)
      const rows = dataset.selectColumns([...names, ...(label !== undefined && kind !== 'triplets' ? [label] : [])])
      return (await import('./pair-evaluators.js')).pairEvaluatorOfKind(kind, rows, name)
    },
    ofFolder: async (kind, folder, name) => {
      if (kind === 'beir') return (await import('./pair-evaluators.js')).pairEvaluatorOfBeir(folder, name)
      throw new SentenceTorchError('ERR_INVALID_ARGUMENT', `${kind} measures embeddings, which a cross-encoder has not`)
    },
  })
}

type RowKind = Exclude<EvaluationKind, FolderKind>
type FolderKind = 'beir' | 'banking77'

interface EvaluatorMakers<E> {
  ofRows(kind: RowKind, dataset: Dataset, source: string, name: string): Promise<E>
  ofFolder(kind: FolderKind, folder: string, name: string): Promise<E>
}

async function load<E extends Evaluator | CrossEncoderEvaluator>(
  spec: EvaluationSpec,
  options: LoadDataOptions,
  { ofRows, ofFolder }: EvaluatorMakers<E>,
): Promise<E> {
  const { where = 'evaluation', folder } = options
  const checked = checkEvaluationSpec(spec, where)
  const kinds = kindsOf(checked)
  const place = (path: string) => (folder === undefined || isAbsolute(path) ? path : join(folder, path))
  const evaluators: E[] = []
  for (const kind of kinds) {
    const { name } = checked
    const own = name === undefined ? kind : kinds.length === 1 ? name : `${name}_${kind}`
    if (kind === 'beir' || kind === 'banking77') evaluators.push(await ofFolder(kind, place(checked[kind]!), own))
    else {
      const { dataset, source } = await loadData(checked[kind]!, { ...options, where: `${where} ${kind}` })
      evaluators.push(await ofRows(kind, dataset, source, own))
    }
  }
  if (evaluators.length === 1) return evaluators[0]!
  const { SequentialEvaluator } = await import('../evaluation/sequential.js')
  return new SequentialEvaluator(evaluators as Evaluator[]) as unknown as E
}

async function ofRows(
  classes: Classes,
  kind: RowKind,
  dataset: Dataset,
  source: string,
  name: string,
): Promise<Evaluator> {
  const [texts1, texts2, texts3] = textColumns(dataset, source, kind === 'triplets' ? 3 : 2)
  if (kind === 'triplets') return classes.triplets({ anchors: texts1!, positives: texts2!, negatives: texts3!, name })
  const labels = numberLabels(dataset, source)
  if (kind === 'nli') return nli(classes, texts1!, texts2!, labels, source, name)
  const sentences = { sentences1: texts1!, sentences2: texts2!, name }
  return kind === 'sts' ? classes.similarity({ ...sentences, scores: labels }) : classes.pairs({ ...sentences, labels })
}

/** A triplet of each premise that has both: its first entailment and its first contradiction. */
async function nli(
  classes: Classes,
  premises: readonly string[],
  hypotheses: readonly string[],
  labels: readonly number[],
  source: string,
  name: string,
): Promise<Evaluator> {
  const found = new Map<string, { entailment?: string; contradiction?: string }>()
  premises.forEach((premise, row) => {
    const own = found.get(premise) ?? {}
    if (labels[row] === 0) own.entailment ??= hypotheses[row]!
    if (labels[row] === 2) own.contradiction ??= hypotheses[row]!
    found.set(premise, own)
  })
  const whole = [...found].flatMap(([premise, { entailment, contradiction }]) =>
    entailment === undefined || contradiction === undefined ? [] : [[premise, entailment, contradiction] as const],
  )
  if (whole.length === 0) {
    throw misfit('premises with an entailment (label 0) and a contradiction (label 2)', source, 'none')
  }
  const column = (i: 0 | 1 | 2) => whole.map((triplet) => triplet[i])
  return classes.triplets({ anchors: column(0), positives: column(1), negatives: column(2), name })
}

async function beir(classes: Classes, folder: string, name: string): Promise<Evaluator> {
  const { loadBeir } = await import('../evaluation/beir.js')
  return classes.retrieval({ ...(await loadBeir(folder)), name })
}

const ENDINGS = ['.jsonl', '.jsonl.gz', '.tsv', '.csv', '.parquet']

async function banking77(folder: string, name: string, options: LoadDataOptions): Promise<Evaluator> {
  const { Banking77Classification } = await import('../evaluation/mteb/banking77.js')
  const split = async (which: 'train' | 'test') => {
    const file = ENDINGS.map((ending) => join(folder, which + ending)).find((path) => existsSync(path))
    if (file === undefined)
      throw new SentenceTorchError(
        'ERR_NOT_FOUND',
        `Expected ${which}.jsonl, .tsv, .csv or .parquet in ${folder}, found none`,
      )
    const { dataset } = await loadData(file, { signal: options.signal })
    const [texts] = textColumns(dataset, file, 1)
    const label = dataset.labelColumn ?? dataset.columnNames.find((column) => dataset.column(column) !== texts)
    if (label === undefined) throw misfit('a column of texts and one of classes', file, listed(dataset.columnNames))
    return { texts: texts!, labels: dataset.column(label) as readonly (string | number)[] }
  }
  return new Banking77Classification({ train: await split('train'), test: await split('test'), name })
}

/** The first columns of texts. */
function textColumns(dataset: Dataset, source: string, count: number): (readonly string[])[] {
  const names = dataset.textColumns.filter((column) => dataset.columnKind(column) === 'text')
  if (names.length < count) {
    throw misfit(`${count} columns of texts`, source, listed(dataset.columnNames))
  }
  return names.slice(0, count).map((column) => dataset.texts(column))
}

function numberLabels(dataset: Dataset, source: string): readonly number[] {
  const labels = labelsOf(dataset, source)
  if (labels === undefined) {
    throw misfit('a column label or score (columns renames one)', source, listed(dataset.columnNames))
  }
  const wrong = labels.find((label) => typeof label !== 'number')
  if (wrong !== undefined) throw misfit('numbers as labels', source, describe(wrong))
  return labels as readonly number[]
}

function misfit(expected: string, source: string, found: string): SentenceTorchError {
  return new SentenceTorchError('ERR_INVALID_DATA', `Expected ${expected} in ${source}, found ${found}`)
}

/**
 * The spec that a path alone means: of a folder by its files, of a file by its columns and labels.
 * @throws ERR_NOT_FOUND; ERR_INVALID_DATA where nothing fits
 */
export async function specOf(
  path: string,
  data: Omit<Exclude<DataSpec, string>, 'path' | 'hub'>,
  options: LoadDataOptions = {},
): Promise<EvaluationSpec> {
  const { folder, signal } = options
  const place = folder === undefined || isAbsolute(path) ? path : join(folder, path)
  const isFolder = await stat(place).then(
    (found) => found.isDirectory(),
    () => false,
  )
  if (isFolder) {
    if (existsSync(join(place, 'corpus.jsonl'))) return { beir: path }
    if (['train', 'test'].every((split) => ENDINGS.some((ending) => existsSync(join(place, split + ending)))))
      return { banking77: path }
    throw misfit('a BEIR folder (corpus.jsonl, queries.jsonl, qrels) or train and test of Banking77', path, 'neither')
  }
  const spec = { ...data, path }
  const { dataset } = await loadData(spec, { ...options, signal })
  const texts = dataset.textColumns.filter((column) => dataset.columnKind(column) === 'text')
  const labels = labelsOf(dataset, path)
  if (labels === undefined && texts.length === 3) return { triplets: spec }
  if (labels !== undefined && texts.length >= 2) {
    return labels.every((label) => label === 0 || label === 1) ? { pairs: spec } : { sts: spec }
  }
  throw misfit(
    'two columns of texts and a label or score, or three of texts (--columns chooses)',
    path,
    listed(dataset.columnNames),
  )
}

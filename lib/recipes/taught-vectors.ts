/** Texts with the embeddings of a teacher: what a student learns. */

import { Dataset } from '../data/dataset.js'
import { datasetSha256 } from '../data/hash-dataset.js'
import { SentenceTorchError } from '../errors.js'
import { signalOf } from '../io/abort.js'
import { principalAxes, project } from '../models/distillation/axes.js'
import type { Embeddings } from '../models/embeddings.js'
import { SentenceTransformer } from '../models/sentence-transformer.js'
import { modelKey } from './fingerprint.js'
import type { RecipeRun } from './recipe-run.js'
import { sentencesOf } from './sentences.js'
import type { StageInputs } from './stages.js'
import { rowLabels, teacherStage, withTeacher } from './teacher-rows.js'

/** Embeddings of which principal components are made, as in sentence-transformers' example. */
const PCA_ROWS = 20_000

export interface Taught {
  dataset: Dataset
  /** Stands for the dataset, as inputs of the training. */
  key: StageInputs
  /** Of the loss: the teacher's width where it is not the student's. */
  projectionDim: number | null
  /** Some texts of it. */
  texts: readonly string[]
}

/**
 * All texts of the data, each once, with the teacher's embeddings.
 * @param width of the student
 */
export async function taughtVectors(
  run: RecipeRun,
  sets: readonly Dataset[],
  source: string,
  width: number,
  { widths }: { widths: 'projection' | 'pca' },
): Promise<Taught> {
  const found = sets.map((set) => sentencesOf(set, 1))
  const texts = [...new Set(found.flatMap(({ sentences }) => sentences))]
  const all = found.reduce((sum, { sentences, dropped }) => sum + sentences.length + dropped, 0)
  run.count('sentences', texts.length)
  run.count('textsLeftOut', all - texts.length)
  const { key, rows } = await teacherEmbeddings(run, source, texts)
  const own = rows.shape[1]
  const isCut = own !== width && widths === 'pca'
  if (own !== width && !isCut)
    run.note(
      `A layer of the loss makes the teacher's ${own} numbers of the student's ${width}; the student does not keep it.`,
    )
  const labels = isCut ? await cut(run, key, rows, width) : rows
  return {
    dataset: Dataset.fromColumns({ text: texts, label: rowLabels(labels) }),
    key: { teacher: key, isCut },
    projectionDim: own === width || isCut ? null : own,
    texts,
  }
}

/** The teacher's embeddings of texts: the stage `teacher`, whose files are kept. */
export async function teacherEmbeddings(
  run: RecipeRun,
  source: string,
  texts: readonly string[],
): Promise<{ key: string; rows: Embeddings }> {
  const inputs = { teacher: await modelKey(source), texts: await datasetSha256(Dataset.fromColumns({ text: texts })) }
  return withTeacher(
    () => SentenceTransformer.load(source, signalOf(run)),
    (teacher) =>
      teacherStage(run, 'teacher', inputs, texts.length, async (start, end) =>
        (await teacher()).encode(texts.slice(start, end), signalOf(run)),
      ),
  )
}

/** The teacher's embeddings as a Dense layer of their principal components makes them: the stage `components` has its weight. */
async function cut(run: RecipeRun, teacher: string, { data, shape }: Embeddings, width: number): Promise<Embeddings> {
  const [count, own] = shape
  if (width > own) {
    const message = `widths: pca makes embeddings narrower; the teacher's have ${own} numbers, the student's ${width}`
    throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
  }
  const rows = Math.min(count, PCA_ROWS)
  if (rows < width) {
    const message = `widths: pca needs at least as many texts as the student's embeddings have numbers, ${width}, found ${rows}`
    throw new SentenceTorchError('ERR_INVALID_DATA', message)
  }
  const { rows: axes } = await teacherStage(run, 'components', { teacher, width }, width, async (start, end) => {
    const found = await principalAxes({ data: data.subarray(0, rows * own), shape: [rows, own] }, width)
    return { data: found.data.subarray(start * own, end * own), shape: [end - start, own] }
  })
  run.note(`The student learns the first ${width} principal components of the teacher's ${own} numbers.`)
  return project({ data, shape }, axes)
}

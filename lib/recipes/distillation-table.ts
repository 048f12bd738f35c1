/** Teacher and student side by side: size, speed, and what each reaches. */
import { signalOf } from '../io/abort.js'
import { SentenceTransformer } from '../models/sentence-transformer.js'
import { measuredTable } from './measured-table.js'
import { MEASURED, type Measured } from './metrics.js'
import { type ModelFacts, modelFacts } from './model-facts.js'
import type { RecipeRun } from './recipe-run.js'

export interface Distilled {
  /** Some texts, of which the speed is measured. */
  texts: readonly string[]
  before: Measured
  after: Measured
  student: SentenceTransformer
  /** Folder or hub id; undefined for a cross-encoder, which embeds nothing. */
  teacher: string | undefined
}

/** Writes the figure `teacher-and-student`, and what it says into the notes. */
export async function distillationTable(
  run: RecipeRun,
  { texts, before, after, student, teacher: source }: Distilled,
): Promise<void> {
  const own = await modelFacts(student, texts, run.signal)
  const facts = new Map([
    ['student, untrained', own],
    ['student', own],
  ])
  const measured = new Map([
    ['student, untrained', before],
    ['student', after],
  ])
  if (source !== undefined) {
    const teacher = await run.loadModel(() => SentenceTransformer.load(source, signalOf(run)))
    const found = await run.measure(teacher)
    const large = await modelFacts(teacher, texts, run.signal)
    await teacher.dispose()
    facts.set('teacher', large)
    measured.set('teacher', found)
    run.note(
      `The student has ${millions(own)} of ${millions(large)} million parameters and encodes ` +
        `${(own.textsPerSecond / large.textsPerSecond).toFixed(2)} × as many texts a second as the teacher.`,
    )
    for (const role of MEASURED) {
      const [now, goal] = [after[role], found[role]]
      if (!now || !goal) continue
      const value = ({ metrics, primaryMetric }: typeof now) => metrics[primaryMetric]!.toFixed(4)
      run.note(`${role}: the student reaches ${value(now)}, the teacher ${value(goal)} (${now.primaryMetric}).`)
    }
  }
  const column = (name: string, of: (facts: ModelFacts) => number | null) => ({
    name,
    of: (row: string) => of(facts.get(row)!),
  })
  const table = measuredTable({
    ...{ title: 'Teacher and student', rows: 'model', measured },
    columns: [
      column('layers', ({ layers }) => layers),
      column('parameters', ({ parameters }) => parameters),
      column('texts a second', ({ textsPerSecond }) => Math.round(textsPerSecond)),
    ],
  })
  await run.figure('teacher-and-student', table)
}

function millions({ parameters }: ModelFacts): string {
  return (parameters / 1e6).toFixed(1)
}

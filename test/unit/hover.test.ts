// Editors show the documentation of every training argument and of every option of a loss, as users write them.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { ARGUMENTS } from '../../lib/training/arguments/table/index.js'
import { lossFiles } from '../docs/loss-files.js'
import { LanguageServer } from '../helpers/language-server.js'
import { temporaryFolder } from '../helpers/model-folders.js'

const INDEX = fileURLToPath(new URL('../../lib/index.js', import.meta.url))
/** Given with options alone, and with the model before them. */
const FORMS = ['', 'model, ']

const given = (table: object, mark: string) =>
  Object.keys(table)
    .map((name) => `${name} /*${mark}*/: null!`)
    .join(', ')
const nameOf = (file: (typeof lossFiles)[number]) => `${file.isForPairs ? 'crossEncoderLosses' : 'losses'}.${file.name}`

/** A program that gives every argument and every option. */
const program = [
  `import { crossEncoderLosses, losses, type SentenceTransformer, SentenceTransformerTrainer, type TrainingArguments } from '${INDEX}'`,
  'declare const model: never',
  `new SentenceTransformerTrainer({ model, trainDataset: null!, args: { ${given(ARGUMENTS, 'given')} } })`,
  'declare const args: TrainingArguments',
  ...Object.keys(ARGUMENTS).map((name) => `args./*read*/${name}`),
  ...lossFiles.flatMap((file) =>
    FORMS.map((form, i) =>
      file.name === 'Custom'
        ? `new losses.Custom(null!, { ${given(file.options, `${nameOf(file)} ${i}`)} })`
        : `new ${nameOf(file)}(${form}{ ${given(file.options, `${nameOf(file)} ${i}`)} })`,
    ),
  ),
].join('\n')

test('the documentation of arguments and options is shown where they are given', async (t) => {
  const folder = await temporaryFolder(t)
  const file = join(folder, 'program.ts')
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }')
  const compilerOptions = { module: 'nodenext', target: 'es2022', strict: true, noEmit: true, skipLibCheck: true }
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['program.ts'] }))
  await writeFile(file, program)
  const server = await LanguageServer.open(file)
  t.teardown(() => server.close())
  const squeeze = (text: string) => text.replace(/\s+/g, ' ')
  const shows = async (mark: string, doc: string, skip = 0) => {
    const shown = squeeze(await server.hover(mark, skip))
    t.true(shown.includes(squeeze(doc)), `${mark}: ${shown}`)
  }
  for (const [name, { doc }] of Object.entries(ARGUMENTS)) {
    await shows(`${name} /*given*/`, doc)
    await shows(`${name}\n`, doc)
  }
  for (const loss of lossFiles) {
    const start = `new ${nameOf(loss)}(`
    await shows(start, loss.comment.points.get('Data')!.replace(/\{@link (\w+)\}/g, '$1'), start.length - 2)
    for (const name of Object.keys(loss.options)) {
      for (const i of FORMS.keys()) await shows(`${name} /*${nameOf(loss)} ${i}*/`, loss.optionComment(name)!)
    }
  }
})

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import anyTest from 'ava'
import { Dataset, recipes } from '../../lib/index.js'
import { holdOutParallel, parallelSets } from '../../lib/recipes/parallel-rows.js'
import { cipherOf } from '../helpers/cipher.js'
import { temporaryFolder } from '../helpers/model-folders.js'
import { hasShared, MINILM, runsControls, sharedData, shuffledColumn } from '../helpers/shared.js'
import { tinyFolder, tinyWords } from '../helpers/tiny-folder.js'

const controlled = runsControls ? anyTest : anyTest.skip

controlled('translations into a made-up language train a better model than translations of other texts', async (t) => {
  const rows = await Dataset.fromFile(sharedData('stsb/train.tsv'), { columns: ['sentence1', 'sentence2'] })
  const all = [...new Set([...rows.texts('sentence1'), ...rows.texts('sentence2')])]
  const translate = cipherOf(all, MINILM)
  const texts = all.slice(0, 1200)
  const train = Dataset.fromColumns({ english: texts, cipher: texts.map(translate) })
  const folder = await temporaryFolder(t)
  // The same 120 sources are held out of both, each with its own translation.
  const { pairs } = parallelSets([train])
  const parts = holdOutParallel(pairs, 0.2, 1)
  const seen = parts.train.get('english-cipher')!
  const shuffled = await shuffledColumn(Dataset.fromColumns({ english: seen.sources, cipher: seen.targets }), 'cipher')
  const held = parts.test.get('english-cipher')!
  const control = await Dataset.concatenate([
    shuffled,
    Dataset.fromColumns({ english: held.sources, cipher: held.targets }),
  ])
  const run = async (name: string, data: Dataset) => {
    const { metrics, counts } = await recipes.multilingual({
      ...{ model: MINILM, teacher: MINILM, outputDir: join(folder, name), train: data, seed: 1, holdOut: 0.2 },
      args: { perDeviceTrainBatchSize: 32, learningRate: 3e-4, maxSteps: 16, saveStrategy: 'no' },
    })
    const of = (metric: string) =>
      metrics.find((each) => each.data === 'test' && each.name === `test_english-cipher_${metric}`)!
    return { accuracy: of('mean_accuracy'), mse: of('negative_mse'), counts }
  }
  const real = await run('real', train)
  const wrong = await run('control', control)
  t.log(`before ${real.accuracy.before}, after ${real.accuracy.after}, control ${wrong.accuracy.after} on other rows`)
  t.is(real.counts['test.english-cipher'], 120)
  t.true(real.accuracy.after > real.accuracy.before + 0.05)
  t.true(real.accuracy.after > wrong.accuracy.after + 0.1)
  t.true(real.mse.after > real.mse.before)
})

anyTest('files with several languages and gaps: what is counted, held out and trained', async (t) => {
  const folder = await temporaryFolder(t)
  const model = await tinyFolder(join(folder, 'tiny'))
  const teacher = await tinyFolder(join(folder, 'teacher'), 3)
  const words = (i: number) => `${tinyWords[i % 37]} ${tinyWords[(i * 5) % 40]}`
  const lines = Array.from(
    { length: 60 },
    (_, i) => `the ${words(i)}\t${words(i + 1)}\t${i % 3 === 0 ? '' : words(i + 2)}`,
  )
  await writeFile(join(folder, 'talks.tsv'), `en\tde\tfr\n${lines.join('\n')}\n`)
  const other = Dataset.fromColumns({ en: ['a red cat', 'a red cat'], de: ['the dog', 'the dog'] })
  const { metrics, counts } = await recipes.multilingual({
    ...{ model, teacher, outputDir: join(folder, 'run'), train: [join(folder, 'talks.tsv'), other], holdOut: 0.2 },
    args: { numTrainEpochs: 1, perDeviceTrainBatchSize: 8, loggingSteps: 1 },
  })
  t.is(counts.withoutTranslation, 20)
  t.is(counts['test.en-de'], 6)
  t.is(counts['train.en-de'], 61 - 12)
  t.true(counts['train.en-fr']! < 40 && counts['train.en-fr']! >= 40 - 12)
  const names = new Set(metrics.map(({ name }) => name))
  for (const name of ['dev_en-de_negative_mse', 'test_en-fr_mean_accuracy', 'test_en-de_src2trg_accuracy'])
    t.true(names.has(name), name)
})

anyTest('no source of dev or test, and none of its translations, is trained on', (t) => {
  const texts = Array.from({ length: 200 }, (_, i) => `text ${i % 100}`)
  const rows = Dataset.fromColumns({ en: texts, de: texts.map((text, i) => `${text} de ${i}`) })
  const { pairs } = parallelSets([rows])
  const { train, dev, test } = holdOutParallel(pairs, 0.3, 5)
  const [a, b, c] = [train, dev, test].map((part) => new Set(part.get('en-de')!.sources)) as [
    Set<string>,
    Set<string>,
    Set<string>,
  ]
  t.deepEqual([a.size, b.size, c.size], [70, 15, 15])
  t.is(new Set([...a, ...b, ...c]).size, 100)
  t.is(train.get('en-de')!.targets.length, 140)
})

anyTest('rows that are no parallel sentences, and a student of another width, are refused in a line', async (t) => {
  const folder = await temporaryFolder(t)
  const model = await tinyFolder(join(folder, 'tiny'))
  const run = (train: Dataset, more: Partial<recipes.MultilingualOptions> = {}) =>
    recipes.multilingual({ model, teacher: model, outputDir: join(folder, 'run'), train, ...more })
  const pairs = Dataset.fromColumns({ en: ['red cat', 'a dog'], de: ['cow', 'fish'] })
  await t.throwsAsync(run(Dataset.fromColumns({ en: ['cat'] })), {
    code: 'ERR_INVALID_DATA',
    message: /at least one of their translations/,
  })
  await t.throwsAsync(run(Dataset.fromColumns({ en: ['cat'], de: [' '] })), {
    code: 'ERR_INVALID_DATA',
    message: /translations in en-de/,
  })
  await t.throwsAsync(run(pairs), {
    code: 'ERR_INVALID_DATA',
    message: /holdOut 0.1 of 2 different sources is too few/,
  })
  if (!hasShared) return
  const wide = run(pairs, { teacher: MINILM, holdOut: 0 })
  await t.throwsAsync(wide, { code: 'ERR_INVALID_ARGUMENT', message: /384 numbers, as the teacher's, found 32/ })
})

// What cannot be saved where it should is saved in a temporary folder. TMPDIR is changed: the tests run one after the other.
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { NotSavedError, rescued } from '../../lib/io/rescue.js'
import { loadWith } from '../../lib/models/sentence-transformer.js'
import { resolveArguments } from '../../lib/training/arguments/arguments.js'
import { readCheckpoint } from '../../lib/training/checkpoint/resume.js'
import { rotateCheckpoints } from '../../lib/training/checkpoint/rotation.js'
import { fakeAddon } from '../helpers/fake-addon.js'
import { prepare } from '../helpers/fake-trainer.js'
import { temporaryFolder, writeFiles, writeModel } from '../helpers/model-folders.js'

/** A folder for the temporary ones of this test. */
async function temporaryFolders(t: ExecutionContext): Promise<string> {
  const folder = await temporaryFolder(t)
  const before = process.env.TMPDIR
  process.env.TMPDIR = folder
  t.teardown(() => {
    if (before === undefined) delete process.env.TMPDIR
    else process.env.TMPDIR = before
  })
  return folder
}

async function setUp(t: ExecutionContext) {
  const path = await temporaryFolder(t)
  await writeModel(join(path, 'source'), '5.2')
  await writeFile(join(path, 'file'), 'a file')
  const model = await loadWith(() => fakeAddon(), join(path, 'source'), {})
  return { path, model, temporary: await temporaryFolders(t) }
}

async function notSaved(t: ExecutionContext, saving: Promise<unknown>): Promise<NotSavedError> {
  return (await t.throwsAsync(saving, { instanceOf: NotSavedError, code: 'ERR_NOT_SAVED' }))!
}

for (const [what, target, code] of [
  ['a file where the folder shall be', 'file', 'ERR_INVALID_ARGUMENT'],
  ['a file where its parent shall be', 'file/model', 'ENOTDIR'],
  ['a name that is too long', 'x'.repeat(300), 'ENAMETOOLONG'],
]) {
  test.serial(`a model is saved in a temporary folder when it cannot be saved where it should: ${what}`, async (t) => {
    const { path, model, temporary } = await setUp(t)
    const error = await notSaved(t, model.save(join(path, target!)))
    t.is((error.cause as NodeJS.ErrnoException).code, code)
    t.true(error.message.includes(join(path, target!)))
    t.true(error.message.includes(error.savedIn!))
    t.true(error.savedIn!.startsWith(join(temporary, 'sentence-torch-')))
    await model.save(join(path, 'saved'))
    for (const file of ['model.safetensors', 'config.json', '1_Pooling/config.json', '2_Dense/model.safetensors']) {
      t.deepEqual(await readFile(join(error.savedIn!, file)), await readFile(join(path, 'saved', file)))
    }
    t.is(await readFile(join(path, 'file'), 'utf8'), 'a file')
  })
}

test.serial('the error says both when the temporary folder refuses too', async (t) => {
  const { path, model, temporary } = await setUp(t)
  process.env.TMPDIR = join(temporary, 'none')
  const error = await notSaved(t, model.save(join(path, 'file/model')))
  t.is(error.savedIn, undefined)
  t.regex(error.message, /ENOTDIR.*ENOENT/s)
})

test.serial('an error that is not of the place is thrown as it is, and leaves nothing behind', async (t) => {
  const temporary = await temporaryFolders(t)
  const error = new Error('the engine')
  t.is(await rescued(error, 'Nothing could be saved', () => Promise.reject(error)), error)
  t.deepEqual(await readdir(temporary), [])
})

test.serial('a checkpoint that cannot be written can be gone on from in the temporary folder', async (t) => {
  await temporaryFolders(t)
  const outputDir = await temporaryFolder(t)
  await writeFile(join(outputDir, 'checkpoint-3'), 'a file')
  const args = { outputDir, saveStrategy: 'steps', saveSteps: 3 } as const
  const save = (folder: string, target: string) => writeFile(join(folder, 'model'), target)
  const error = await notSaved(t, prepare(args, { parts: { save } }).train())
  const { own } = await readCheckpoint(error.savedIn!, resolveArguments(args))
  t.is(own.state.globalStep, 3)
  t.true(existsSync(join(error.savedIn!, 'optimizer.safetensors')))
  t.is(await readFile(join(error.savedIn!, 'model'), 'utf8'), join(outputDir, 'checkpoint-3'))
})

// It replaces functions of node:fs/promises, so it runs alone.
test.serial(
  'a checkpoint that cannot be moved is removed where it is; one that cannot be removed ends no training',
  async (t) => {
    const outputDir = await temporaryFolder(t)
    const names = ['checkpoint-1', 'checkpoint-2', 'checkpoint-3']
    for (const name of names) await writeFiles(join(outputDir, name), { 'trainer_state.json': {}, 'a/b': '' })
    const { promises } = await import('node:fs')
    const { rename, rm } = promises
    const warnings: string[] = []
    t.teardown(() => process.removeAllListeners('warning'))
    process.on('warning', ({ message }) => warnings.push(message))
    const refuse = (code: string) => () => Promise.reject(Object.assign(new Error(code), { code }))
    const rotate = async (limit: number, replaced: Partial<typeof promises>) => {
      Object.assign(promises, replaced)
      syncBuiltinESMExports()
      try {
        return await rotateCheckpoints(outputDir, limit, [])
      } finally {
        Object.assign(promises, { rename, rm })
        syncBuiltinESMExports()
      }
    }
    t.deepEqual(await rotate(2, { rename: refuse('EXDEV') }), ['checkpoint-1'])
    t.deepEqual(await readdir(outputDir), ['checkpoint-2', 'checkpoint-3'])
    t.deepEqual(await rotate(1, { rename: refuse('EXDEV'), rm: refuse('EBUSY') }), [])
    t.deepEqual(await readdir(outputDir), ['checkpoint-2', 'checkpoint-3'])
    await new Promise(setImmediate)
    t.regex(warnings.join(), /checkpoint-2 could not be removed: EBUSY/)
  },
)

test('the title of a saved model is the name of its folder, also when that is not said', async (t) => {
  const path = await temporaryFolder(t)
  await writeModel(join(path, 'my-model'), '5.2')
  const model = await loadWith(() => fakeAddon(), join(path, 'my-model'), {})
  await model.save(join(path, 'my-model', 'x', '..'))
  t.regex(await readFile(join(path, 'my-model', 'README.md'), 'utf8'), /^# my-model$/m)
})

test('a save that was cut off is ended when the model is loaded', async (t) => {
  const path = await temporaryFolder(t)
  const model = join(path, 'model')
  await writeModel(join(path, '.model.old-0123456789ab'), '5.2')
  const load = () => loadWith(() => fakeAddon(), model, {})
  t.is((await load()).maxSeqLength, 24)
  t.deepEqual(await readdir(path), ['model'])

  const pending = join(model, '.sentence-torch-save/0123456789ab')
  await writeFiles(pending, { 'new/sentence_bert_config.json': { max_seq_length: 12 }, 'gone.json': [] })
  await mkdir(join(pending, 'old'))
  t.is((await load()).maxSeqLength, 12)
  t.false(existsSync(join(model, '.sentence-torch-save')))

  await writeFiles(pending, { 'new/a': '', 'old/a': '', 'gone.json': ['../secret'] })
  await t.throwsAsync(load(), { code: 'ERR_INVALID_MODEL', message: /cut off.*gone\.json/s })
})

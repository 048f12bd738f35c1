// Saved files are on the disk before they are in place, and saving waits for the disk once per file. The tests count calls of a
// function that they replace, so they run one after the other.
import { open, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { NotSavedError } from '../../lib/io/rescue.js'
import { loadWith } from '../../lib/models/sentence-transformer.js'
import { fakeAddon } from '../helpers/fake-addon.js'
import { FakeEngine, prepare } from '../helpers/fake-trainer.js'
import { temporaryFolder, writeModel } from '../helpers/model-folders.js'

/** Counts from now on how often each file is synced, by its inode: files are renamed afterwards. */
async function countSyncs(t: ExecutionContext): Promise<Map<number, number>> {
  const counts = new Map<number, number>()
  const file = await open(new URL(import.meta.url))
  const prototype = Object.getPrototypeOf(file) as typeof file
  await file.close()
  const { sync } = prototype
  prototype.sync = async function (this: typeof file) {
    const { ino } = await this.stat()
    counts.set(ino, (counts.get(ino) ?? 0) + 1)
    return sync.call(this)
  }
  t.teardown(() => {
    prototype.sync = sync
  })
  return counts
}

/** How often the files of a folder were synced, by their paths. */
async function syncsOf(folder: string, counts: ReadonlyMap<number, number>): Promise<Record<string, number>> {
  const found: Record<string, number> = {}
  for (const path of await readdir(folder, { recursive: true })) {
    const { ino } = await stat(join(folder, path))
    found[path] = counts.get(ino) ?? 0
  }
  return found
}

async function setUp(t: ExecutionContext) {
  const path = await temporaryFolder(t)
  await writeModel(join(path, 'source'), '5.2')
  const model = await loadWith(() => fakeAddon(), join(path, 'source'), {})
  return { path, model, counts: await countSyncs(t) }
}

function allOnce(t: ExecutionContext, found: Readonly<Record<string, number>>, ...files: string[]): void {
  for (const file of files) t.true(file in found, file)
  t.deepEqual(
    Object.entries(found).filter(([, count]) => count !== 1),
    [],
  )
}

test.serial('a saved model', async (t) => {
  const { path, model, counts } = await setUp(t)
  await model.save(join(path, 'saved'))
  allOnce(
    t,
    await syncsOf(join(path, 'saved'), counts),
    'model.safetensors',
    '2_Dense/model.safetensors',
    'config.json',
  )
})

test.serial('a checkpoint', async (t) => {
  const { path, model, counts } = await setUp(t)
  const engine = new FakeEngine()
  for (const name of ['loss.weight', 'exp_avg.loss.weight']) engine.owned.set(name, Float32Array.of(1, 2))
  const save = (folder: string, target: string) => model.writeFiles(folder, target)
  const args = { outputDir: join(path, 'out'), saveStrategy: 'steps', saveSteps: 3, maxSteps: 3 } as const
  await prepare(args, { engine, parts: { save } }).train()
  const found = await syncsOf(join(path, 'out/checkpoint-3'), counts)
  const files = ['model.safetensors', 'loss.safetensors', 'optimizer.safetensors', 'trainer_state.json']
  allOnce(t, found, ...files)
})

test.serial('a model that is saved in a temporary folder because its own cannot be written', async (t) => {
  const { path, model, counts } = await setUp(t)
  const before = process.env.TMPDIR
  process.env.TMPDIR = path
  t.teardown(() => {
    if (before === undefined) delete process.env.TMPDIR
    else process.env.TMPDIR = before
  })
  const error = await t.throwsAsync(model.save(join(path, 'source/config.json/model')), { instanceOf: NotSavedError })
  allOnce(t, await syncsOf(error!.savedIn!, counts), 'model.safetensors', 'config.json')
})

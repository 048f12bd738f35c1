// A folder, a pipe, a socket or a device where a model's folder has a file.
import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import test from 'ava'
import type { SentenceTorchError } from '../../lib/errors.js'
import { loadCrossEncoderParts } from '../../lib/models/cross-encoder-load.js'
import { LanguageModelWeights } from '../../lib/models/language-model.js'
import { loadWith } from '../../lib/models/sentence-transformer.js'
import { resolveArguments } from '../../lib/training/arguments/arguments.js'
import { readLossTensors } from '../../lib/training/checkpoint/loss-tensors.js'
import { loadOptimizer } from '../../lib/training/checkpoint/optimizer-tensors.js'
import { readCheckpoint } from '../../lib/training/checkpoint/resume.js'
import { fakeAddon } from '../helpers/fake-addon.js'
import { temporaryFolder, writeFiles, writeModel } from '../helpers/model-folders.js'

/** What may lie in the place of a file, and how an error calls it. */
const places: [string, RegExp, (path: string) => Promise<void>][] = [
  ['a folder', /the folder/, (path) => mkdir(path)],
  ['a pipe', /the pipe/, async (path) => void execFileSync('mkfifo', [path])],
  ['a socket', /the socket/, listen],
  ['a device', /the device/, (path) => symlink('/dev/zero', path)],
]
const servers: Server[] = []
test.after.always(() => {
  for (const server of servers) server.close()
})

async function listen(path: string): Promise<void> {
  const server = createServer()
  servers.push(server)
  // Sockets have short paths.
  const short = join(await mkdtemp(join(tmpdir(), 's-')), 's')
  await new Promise<void>((resolve) => server.listen(short, resolve))
  await symlink(short, path)
}

const models = [
  ...['config.json', 'modules.json', 'config_sentence_transformers.json', 'sentence_bert_config.json'],
  ...['tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json', 'added_tokens.json', 'vocab.txt'],
  ...['1_Pooling/config.json', '2_Dense/config.json', '3_Normalize/config.json'],
  ...['model.safetensors', '2_Dense/model.safetensors'],
]
const weights = ['pytorch_model.bin', 'model.safetensors.index.json', 'pytorch_model.bin.index.json', 'a.safetensors']

for (const [what, kind, make] of places) {
  test(`${what} in the place of any file of a model is named, and never waited for`, async (t) => {
    const folder = await temporaryFolder(t)
    const refused = async (file: string, work: () => Promise<unknown>) => {
      await rm(join(folder, file), { force: true, recursive: true })
      await mkdir(dirname(join(folder, file)), { recursive: true })
      await make(join(folder, file))
      const error = await t.throwsAsync(work, { name: 'SentenceTorchError' }, file)
      t.regex(String(error?.message), kind, file)
      t.true(error?.message.includes(file), `${file}: ${error?.message}`)
      t.regex((error as SentenceTorchError).code, /^ERR_INVALID_(MODEL|FILE)$/, file)
      await rm(join(folder, file), { recursive: true })
    }
    const load = () => loadWith(() => fakeAddon(), folder, {})
    for (const file of models) {
      await writeModel(folder, '5.2')
      await refused(file, load)
    }
    await writeModel(folder, '5.2')
    await rm(join(folder, 'model.safetensors'))
    for (const file of weights) {
      if (file === 'a.safetensors')
        await writeFiles(folder, { 'model.safetensors.index.json': { weight_map: { x: file } } })
      await refused(file, load)
    }
    await writeModel(folder, '5.2')
    const crossEncoder = () => loadCrossEncoderParts(() => fakeAddon(), folder, {})
    for (const file of ['config.json', 'tokenizer.json', 'model.safetensors']) {
      await refused(file, crossEncoder)
      await writeModel(folder, 'plain')
    }
    const languageModel = () =>
      LanguageModelWeights.open({ transformerPath: folder, id: undefined, addon: fakeAddon() })
    await refused('model.safetensors', languageModel)
    await refused('trainer_state.json', () => readCheckpoint(folder, resolveArguments({ outputDir: folder })))
    await refused('loss.safetensors', () => readLossTensors(folder))
    const native = { tensors: () => [], load: async () => {} }
    await refused('optimizer.safetensors', () => loadOptimizer(folder, native, false))
  })

  test(`${what} in the place of the journal of a save that was cut off is no journal`, async (t) => {
    const folder = await temporaryFolder(t)
    await writeModel(folder, '5.2')
    await writeFiles(folder, { '.sentence-torch-save/x/new/a': 'a', '.sentence-torch-save/x/old/a': 'a' })
    await make(join(folder, '.sentence-torch-save/x/gone.json'))
    const error = await t.throwsAsync(
      loadWith(() => fakeAddon(), folder, {}),
      { code: 'ERR_INVALID_MODEL' },
    )
    t.regex(error.message, /gone\.json is no list of paths/)
  })
}

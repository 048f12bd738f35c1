/** `sentence-torch push`: uploads what `save` has written. */
import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { SentenceTorchError } from '../errors.js'
import { uploadModel } from '../io/hub-upload.js'
import { textOf, UsageError, type Values } from './command.js'
import type { Io } from './io.js'

/** One of them is in every folder of a model. */
const OF_MODELS = ['modules.json', 'config.json', 'adapter_config.json']

export async function pushModel(values: Values, io: Io): Promise<number> {
  const [folder, repository] = values.words as [string, string]
  const { options } = values
  if (options.public && !options.create)
    throw new UsageError('ERR_INVALID_ARGUMENT', '--public is for a new repository: add --create', 'push')
  checkFolder(folder)
  const branch = textOf(values, 'branch')
  const { url, commit, files } = await uploadModel({
    ...{ folder, repository, title: textOf(values, 'message') ?? 'Add model', signal: io.signal },
    ...(branch !== undefined && { branch }),
    ...(options.create && { create: options.public ? 'public' : 'private' }),
  })
  if (options.json) io.out(`${JSON.stringify({ url, commit, files }, null, 2)}\n`)
  else io.out(`${url}\n`)
  return 0
}

function checkFolder(folder: string): void {
  const stats = statSync(folder, { throwIfNoEntry: false })
  if (!stats?.isDirectory()) {
    const found = stats ? 'is a file' : 'is not there'
    throw new SentenceTorchError('ERR_NOT_FOUND', `Expected a model's folder, but ${folder} ${found}`)
  }
  if (OF_MODELS.some((name) => existsSync(join(folder, name)))) return
  const inner = join(folder, 'model')
  const hint = OF_MODELS.some((name) => existsSync(join(inner, name))) ? `: ${inner} is one` : ''
  throw new SentenceTorchError('ERR_INVALID_MODEL', `${folder} holds no model (${OF_MODELS.join(', ')})${hint}`)
}

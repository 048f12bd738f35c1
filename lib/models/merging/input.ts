import { SentenceTorchError } from '../../errors.js'
import type { NativeAddon, NativeEncoder } from '../../native/types.js'
import type { BaseParts } from '../base-model.js'
import { resolveModel } from '../hub.js'
import { startEngine } from '../start-engine.js'
import type { StoredNames } from '../stored-names.js'
import type { SourceOptions } from '../types.js'
import { WeightFiles } from '../weights.js'
import type { KindFolder, ModelKind } from './kinds.js'
import { readerOfEncoder, readerOfFiles, type TensorReader } from './readers.js'

/** What a loaded model of a class is made of. */
export type LoadedModel<F> = Pick<BaseParts, 'encoder' | 'names' | 'adapters'> & { folder: F }

/** A model to be merged, without its weights: a folder that was read, or a model that is loaded. */
export interface MergeInput<F> {
  /** For messages: `models[1] (bert-base-uncased)`. */
  label: string
  folder: F
  /** Its folder; undefined for a loaded model. */
  path: string | undefined
  loaded: LoadedModel<F> | undefined
}

/** Reads all but the weights. @throws SentenceTorchError as `load`; ERR_INVALID_ARGUMENT for a model with adapters */
export async function readInput<F extends KindFolder>(
  kind: ModelKind<F>,
  getAddon: () => NativeAddon,
  model: string | LoadedModel<F>,
  label: string,
  source: SourceOptions,
): Promise<MergeInput<F>> {
  const input = await inputOf(kind, getAddon, model, label, source)
  const obstacle = kind.obstacle(input.folder)
  if (obstacle === undefined) return input
  throw new SentenceTorchError('ERR_NOT_IMPLEMENTED', `${label} cannot be merged yet: ${obstacle}`)
}

async function inputOf<F extends KindFolder>(
  kind: ModelKind<F>,
  getAddon: () => NativeAddon,
  model: string | LoadedModel<F>,
  label: string,
  source: SourceOptions,
): Promise<MergeInput<F>> {
  if (typeof model === 'string') {
    const { path } = await resolveModel(model, { ...source, organization: kind.organization })
    return { label, folder: await kind.read(path, getAddon), path, loaded: undefined }
  }
  const [adapter] = model.adapters?.names ?? []
  if (adapter !== undefined) {
    const message = `${label} has the adapter ${JSON.stringify(adapter)}: add it to the weights first, by its method merge`
    throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
  }
  return { label, folder: model.folder, path: undefined, loaded: model }
}

/** The weights of models that are merged. */
export interface OpenInputs {
  /** Of the first model; it has weights only if that is loaded. */
  encoder: NativeEncoder
  /** What the first model's files call its tensors. */
  names: StoredNames
  /** For each model. */
  readers: TensorReader[]
  close(): Promise<void>
}

/**
 * Opens the files of the models, and compares their names and shapes with what the architecture has.
 * @throws SentenceTorchError as `load`
 */
export async function openInputs<F extends KindFolder>(
  kind: ModelKind<F>,
  addon: NativeAddon,
  inputs: readonly MergeInput<F>[],
): Promise<OpenInputs> {
  const files: WeightFiles[] = []
  let own: NativeEncoder | undefined
  const close = async () => {
    await Promise.all(files.map((file) => file.close()))
    await own?.dispose()
  }
  try {
    const opened = []
    for (const { folder, path } of inputs) {
      if (path === undefined) opened.push(undefined)
      else {
        const transformerPath = folder.transformerPath!
        files.push(await WeightFiles.open({ ...folder, path, transformerPath, modules: kind.files(folder) }))
        opened.push(files.at(-1)!)
      }
    }
    const { folder, loaded } = inputs[0]!
    const pooler = kind.keepsPooler && opened[0]?.hasPooler === true
    if (!loaded)
      own = startEngine(addon, { ...folder, modules: kind.modules(folder) }, pooler, { device: 'cpu' }).encoder
    const encoder = loaded?.encoder ?? own!
    const checked = opened.map((file) => file?.check(encoder))
    const readers = inputs.map((input, i) =>
      input.loaded ? readerOfEncoder(input.loaded.encoder) : readerOfFiles(checked[i]!.tensors, encoder),
    )
    return { encoder, names: loaded?.names ?? checked[0]!.names, readers, close }
  } catch (error) {
    await close()
    throw error
  }
}

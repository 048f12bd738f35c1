import { access } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { fromNative, SentenceTorchError } from '../errors.js'
import { openSafetensors, type SafetensorsFile } from '../io/safetensors.js'
import type { NativeEncoder, TensorRange } from '../native/types.js'
import { unusable } from './hub-files.js'
import type { ModelFolder } from './model-folder.js'
import { engineName } from './weight-names.js'

/** Bytes that cross to the engine at once. */
const RANGE_BYTES = 64 * 1024 * 1024

/** Bytes per element of the dtypes that the engine converts. */
const FLOAT_BYTES = { F64: 8, F32: 4, F16: 2, BF16: 2 } as const
type FloatDType = keyof typeof FLOAT_BYTES

/** A tensor in one of the model's files, under the engine's name. */
interface StoredTensor {
  file: SafetensorsFile
  /** Path of the file, and the tensor's name in it. */
  path: string
  name: string
  dtype: string
  shape: readonly number[]
}

/** The weight files of a model folder, opened; their tensors by the engine's names (`0.…`, `2.linear.weight`). */
export class WeightFiles {
  private constructor(
    private readonly tensors: Map<string, StoredTensor>,
    private readonly files: SafetensorsFile[],
    private readonly duplicates: string[],
  ) {}

  /** @throws SentenceTorchError ERR_INVALID_MODEL (no weights), ERR_UNSUPPORTED (only a pickle), ERR_INVALID_FILE (damaged) */
  static async open(folder: Pick<ModelFolder, 'path' | 'transformerPath' | 'modules'>): Promise<WeightFiles> {
    const weights = new WeightFiles(new Map(), [], [])
    try {
      await weights.add(await weightFile(folder.path, relative(folder.path, folder.transformerPath)), 0)
      for (const [i, module] of folder.modules.entries()) {
        if (module.type === 'Dense') await weights.add(await weightFile(folder.path, module.path), i + 1)
      }
      return weights
    } catch (error) {
      await weights.close()
      throw error
    }
  }

  /** Whether the transformer comes with its pooler, which is kept though sentence embeddings do not use it. */
  get hasPooler(): boolean {
    return this.tensors.has('0.pooler.dense.weight') && this.tensors.has('0.pooler.dense.bias')
  }

  /**
   * Copies all tensors to the engine. Names, shapes and dtypes are compared before any byte moves.
   * @param mayLack names of tensors that the files need not have; the engine keeps its values of those.
   * @returns those that the files do not have
   * @throws SentenceTorchError ERR_INVALID_TENSORS: one error that lists all that is missing, unknown or unfit; the engine
   * adds values that are not finite.
   */
  async load(encoder: NativeEncoder, mayLack: readonly string[] = []): Promise<string[]> {
    this.check(encoder, mayLack)
    let batch: TensorRange[] = []
    let bytes = 0
    const flush = async () => {
      if (batch.length === 0) return
      await encoder.load(batch)
      batch = []
      bytes = 0
    }
    try {
      for (const [name, { file, name: stored, dtype, shape }] of this.tensors) {
        const size = FLOAT_BYTES[dtype as FloatDType]
        const total = shape.reduce((product, n) => product * n, size)
        for (let start = 0; start < total; start += RANGE_BYTES) {
          const end = Math.min(start + RANGE_BYTES, total)
          if (bytes + end - start > RANGE_BYTES) await flush()
          const data = await file.read(stored, start, end)
          batch.push({ name, start: start / size, dtype: dtype as FloatDType, data })
          bytes += end - start
        }
      }
      await flush()
    } catch (error) {
      throw fromNative(error, 'Encoder.load')
    }
    return mayLack.filter((name) => !this.tensors.has(name))
  }

  async close(): Promise<void> {
    await Promise.all(this.files.map((file) => file.close()))
  }

  private async add(path: string, module: number): Promise<void> {
    const file = await openSafetensors(path)
    this.files.push(file)
    for (const [name, { dtype, shape }] of file.tensors) {
      const bare = module === 0 ? engineName(name) : name
      if (bare === undefined) continue
      const known = `${module}.${bare}`
      const twin = this.tensors.get(known)
      if (twin) this.duplicates.push(`${twin.name} and ${name} in ${path} are the same tensor`)
      this.tensors.set(known, { file, path, name, dtype, shape })
    }
  }

  private check(encoder: NativeEncoder, mayLack: readonly string[]): void {
    const problems = [...this.duplicates]
    const expected = new Map(encoder.tensors().map((tensor) => [tensor.name, tensor]))
    for (const { name, shape } of expected.values()) {
      if (!this.tensors.has(name) && !mayLack.includes(name)) problems.push(`missing: ${name} [${shape}]`)
    }
    for (const [known, { name, path, dtype, shape }] of this.tensors) {
      const tensor = expected.get(known)
      if (!tensor) {
        problems.push(`unknown: ${name} [${shape}] in ${path}`)
      } else if (tensor.shape.length !== shape.length || tensor.shape.some((n, i) => n !== shape[i])) {
        problems.push(`wrong shape: ${name} is [${shape}] in ${path}, expected [${tensor.shape}]`)
      } else if (!Object.hasOwn(FLOAT_BYTES, dtype)) {
        problems.push(`wrong dtype: ${name} is ${dtype} in ${path}, expected ${Object.keys(FLOAT_BYTES).join(', ')}`)
      }
    }
    if (problems.length === 0) return
    const what = problems.length === 1 ? 'One tensor does' : `${problems.length} tensors do`
    throw new SentenceTorchError('ERR_INVALID_TENSORS', `${what} not fit the model:\n  ${problems.join('\n  ')}`)
  }
}

/** model.safetensors of a module, or the index of its shards. */
async function weightFile(root: string, module: string): Promise<string> {
  for (const name of ['model.safetensors', 'model.safetensors.index.json']) {
    const path = join(root, module, name)
    if (await exists(path)) return path
  }
  const pickle = join(module, 'pytorch_model.bin')
  const present = (await exists(join(root, pickle))) ? [pickle] : []
  throw unusable(root, [join(module, 'model.safetensors')], new Set(present))
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}

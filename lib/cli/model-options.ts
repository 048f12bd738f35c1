/** Options of every command that uses a model, and the model that they mean. */
import type { LoadOptions } from '../models/types.js'
import { given, type Option, type Values } from './command.js'
import type { Io } from './io.js'

export const MODEL_ARGUMENT = { name: 'model', help: 'a folder, or the id of a model of the Hugging Face hub' }

export const LOAD_OPTIONS: Readonly<Record<string, Option>> = {
  revision: { type: 'string', help: 'branch, tag or commit of a model of the hub', fallback: 'main' },
  offline: { type: 'boolean', help: 'never download' },
  device: { type: 'string', help: 'cpu, cuda, cuda:1 or auto', fallback: 'cpu' },
  dtype: {
    type: 'string',
    help: 'number type of the computation',
    choices: ['float32', 'bfloat16', 'int8', 'auto'],
    fallback: 'float32',
  },
  'max-length': {
    type: 'integer',
    value: 'tokens',
    help: "tokens to which texts are cut (default: the model's)",
    least: 1,
  },
}

/** What `load` of a model takes, as given. */
export function loadOptions(values: Values, { signal, err }: Io): LoadOptions {
  const names = { revision: 'revision', offline: 'localFilesOnly', device: 'device', dtype: 'dtype' }
  return {
    ...given(values, { ...names, 'max-length': 'maxSeqLength' }),
    signal,
    ...(process.stderr.isTTY && { onProgress: showDownload(err) }),
  }
}

/** The same for a cross-encoder beside that model: revision and length are the model's alone. */
export function pairLoadOptions(values: Values, io: Io): Omit<LoadOptions, 'revision' | 'maxSeqLength'> {
  const { revision: _, maxSeqLength: __, ...options } = loadOptions(values, io)
  return options
}

/** A line that redraws itself. */
export function showDownload(err: (text: string) => void): NonNullable<LoadOptions['onProgress']> {
  const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1)
  return ({ file, loaded, total }) =>
    err(`\r\x1b[2K${file}: ${megabytes(loaded)} of ${megabytes(total)} MB${loaded === total ? '\n' : ''}`)
}

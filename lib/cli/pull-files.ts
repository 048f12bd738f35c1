/** `sentence-torch pull`: the files that loading needs come into the cache. */
import { datasetFiles } from '../data/hub/dataset-files.js'
import { resolveModel } from '../models/hub.js'
import { given, textOf, UsageError, type Values } from './command.js'
import type { Io } from './io.js'
import { showDownload } from './model-options.js'

export async function pullFiles(values: Values, io: Io): Promise<number> {
  const isDataset = values.options.dataset === true
  const ofDatasets = ['subset', 'split'].find((name) => values.options[name] !== undefined)
  if (ofDatasets !== undefined && !isDataset)
    throw new UsageError('ERR_INVALID_ARGUMENT', `--${ofDatasets} is for data sets: add --dataset`, 'pull')
  const options = {
    ...given(values, { revision: 'revision' }),
    ...(process.stderr.isTTY && { onProgress: showDownload(io.err) }),
    signal: io.signal,
  }
  const pulled: { id: string; paths: string[] }[] = []
  for (const id of values.words) {
    const paths = isDataset
      ? await datasetFiles(id, textOf(values, 'split') ?? 'train', {
          ...options,
          ...given(values, { subset: 'config' }),
        })
      : [
          (
            await resolveModel(id, {
              ...options,
              ...(values.options['cross-encoder'] && { organization: 'cross-encoder' }),
            })
          ).path,
        ]
    pulled.push({ id, paths })
    if (!values.options.json) io.out(`${paths.join('\n')}\n`)
  }
  if (values.options.json) io.out(`${JSON.stringify(pulled, null, 2)}\n`)
  return 0
}

// Merged models as sentence-transformers merges them: make_merging.py.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import {
  CrossEncoder,
  type MergeMethodName,
  type MergeOptions,
  type MergeParameters,
  SentenceTransformer,
} from '../../lib/index.js'
import { type FloatDType, floatsOf } from '../../lib/io/floats.js'
import { openSafetensors } from '../../lib/io/safetensors.js'
import { temporaryFolder } from '../helpers/model-folders.js'
import { report } from './report.js'

const FOLDER = fileURLToPath(new URL('../../../test/parity/golden/merging/', import.meta.url))
/** Of a value from -1 to 1, and of larger ones relative. */
const TOLERANCE: Record<string, number> = { F32: 1e-7, F64: 2e-15, F16: 0, BF16: 0 }
/** Python rounds angles and cosines to float32 on the way, from which the result follows with a larger error. */
const ROUNDED: Record<string, number> = { ...TOLERANCE, F32: 1e-6 }

interface Case {
  method: MergeMethodName
  models: string[]
  base_model?: string
  dtype?: 'float64'
  out_dtype?: MergeOptions<SentenceTransformer>['outDtype']
  parameters?: MergeParameters & { filter_wise?: boolean }
}

const cases: Record<string, Case> = JSON.parse(readFileSync(join(FOLDER, 'cases.json'), 'utf8'))

function optionsOf({ base_model, dtype, out_dtype, parameters: { filter_wise, ...others } = {} }: Case) {
  return {
    ...(base_model && { baseModel: FOLDER + base_model }),
    ...(dtype && { dtype }),
    ...(out_dtype && { outDtype: out_dtype }),
    parameters: { ...others, ...(filter_wise !== undefined && { filterWise: filter_wise }) },
  }
}

async function tensorsOf(path: string, prefix = '') {
  const file = await openSafetensors(path)
  const found: [string, { dtype: string; shape: readonly number[]; values: ArrayLike<number> }][] = []
  for (const [name, { dtype, shape }] of file.tensors) {
    found.push([prefix + name, { dtype, shape, values: floatsOf(await file.read(name), dtype as FloatDType) }])
  }
  await file.close()
  return found
}

for (const [name, merge] of Object.entries(cases)) {
  test(`${name}: every tensor is Python's`, async (t) => {
    const outputPath = join(await temporaryFolder(t), 'merged')
    const models = merge.models.map((model) => FOLDER + model)
    const kind = name.startsWith('ce-') ? CrossEncoder : SentenceTransformer
    const model = await kind.merge(models, merge.method, { ...optionsOf(merge), outputPath })
    await model.dispose()
    const dense = name.startsWith('ce-') ? [] : await tensorsOf(join(outputPath, '2_Dense/model.safetensors'), '2.')
    const found = new Map([...(await tensorsOf(join(outputPath, 'model.safetensors'))), ...dense])
    const golden = await tensorsOf(join(FOLDER, `${name}.safetensors`))
    t.true(golden.length > 20)
    t.deepEqual([...found.keys()].sort(), golden.map(([tensor]) => tensor).sort())
    for (const [tensor, { dtype, shape, values }] of golden) {
      const own = found.get(tensor)!
      t.deepEqual([own.dtype, own.shape], [dtype, shape], tensor)
      const allowed = (['slerp', 'model_stock'].includes(merge.method) ? ROUNDED : TOLERANCE)[dtype]!
      let deviation = 0
      for (let i = 0; i < values.length; i++) {
        deviation = Math.max(deviation, Math.abs(values[i]! - own.values[i]!) / Math.max(1, Math.abs(values[i]!)))
      }
      t.true(deviation <= allowed, `${tensor}: ${deviation}`)
      report('merging', merge.method, { part: dtype, deviation, allowed })
    }
  })
}

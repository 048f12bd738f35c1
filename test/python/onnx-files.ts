// Graphs of ONNX for test/python/onnx_models.py: every golden model of an architecture and every golden classifier, with what
// transformers computes for their rows.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { writeGraph } from '../../lib/models/onnx/write-graph.js'
import type { EncoderSpec, NativeEncoder, PackedBatch } from '../../lib/native/types.js'
import { byEngineNames, dataOf, encoderSpec } from '../parity/architecture-encoders.js'
import { BUILT, type Contents, FIXTURES, heads, values, WITHOUT_CLASSIFIER } from '../parity/architectures.js'
import { addon, load } from '../parity/support.js'

/** What Python is to run, and what has to come out of it. */
export interface OnnxJob {
  name: string
  path: string
  ids: number[][]
  types: number[][]
  /** Whether the same comes out where the padding is in front: positions count from one token to the other. */
  padsLeft: boolean
  /** By the name of an output, a file of numbers (float32), and the rows that it is about. */
  expected: Record<string, { file: string; rows: number[] }>
}

/** Positions of all others are counted from the first column, as in transformers. */
const RELATIVE = ['gemma3_text', 'gte', 'modernbert', 'mt5', 'nomic_bert', 'qwen2', 'qwen3', 't5']

/** Writes the files, and returns the jobs. */
export async function writeOnnxFiles(folder: string): Promise<OnnxJob[]> {
  mkdirSync(folder, { recursive: true })
  const jobs: OnnxJob[] = []
  const add = async (fixture: Contents & { config: EncoderSpec['config'] }, spec: EncoderSpec, outputs: Outputs) => {
    const encoder = open(spec)
    if (encoder === undefined) return
    await load(encoder, dataOf(byEngineNames(encoder, fixture.config, fixture.weights)))
    const name = `${fixture.architecture}-${fixture.name}-${Object.keys(outputs)[0]}`
    const path = join(folder, `${name}.onnx`)
    await writeGraph(path, { encoder, graph: encoder.graph(), version: addon.runtime().addonVersion }, 'fp32')
    await encoder.dispose()
    const expected: OnnxJob['expected'] = {}
    for (const [output, { tensor, rows }] of Object.entries(outputs)) {
      const file = join(folder, `${name}-${output}.f32`)
      writeFileSync(file, values(fixture, tensor))
      expected[output] = { file, rows }
    }
    const padsLeft = RELATIVE.includes(fixture.architecture)
    jobs.push({ name, path, padsLeft, ids: rowsOf(fixture.batch, 'ids'), types: typesOf(fixture.batch), expected })
  }
  for (const fixture of FIXTURES) {
    const all = [...fixture.lengths.keys()]
    await add(fixture, encoderSpec(fixture), {
      sentence_embedding: { tensor: 'embeddings', rows: all },
      last_hidden_state: { tensor: 'tokens', rows: fixture.tokenRows },
    })
  }
  for (const fixture of heads('classifiers')) {
    const { architecture, config, numLabels, lengths } = fixture
    if (WITHOUT_CLASSIFIER.includes(architecture)) continue
    const modules = [{ type: 'SequenceClassification', numLabels }]
    const spec = { architecture: config.model_type as string, config, modules, pooler: false }
    const rows = [...lengths.keys()]
    await add(fixture, { ...spec, device: 'cpu', dtype: 'float32' }, { logits: { tensor: 'logits', rows } })
  }
  return jobs
}

type Outputs = Record<string, { tensor: string; rows: number[] }>

/** Undefined for an option that the engine refuses by name, which other tests see to. */
function open(spec: EncoderSpec): NativeEncoder | undefined {
  try {
    return new addon.Encoder(spec)
  } catch (error) {
    const isBuilt = BUILT.includes(spec.architecture) || spec.architecture === 'new'
    if (isBuilt && (error as { code?: string }).code === 'ERR_NOT_IMPLEMENTED') return undefined
    throw error
  }
}

function rowsOf({ offsets, ids, tokenTypes }: PackedBatch, of: 'ids' | 'tokenTypes'): number[][] {
  const numbers = of === 'ids' ? ids : tokenTypes!
  return Array.from({ length: offsets.length - 1 }, (_, row) => [...numbers.subarray(offsets[row], offsets[row + 1])])
}

function typesOf(batch: PackedBatch): number[][] {
  if (batch.tokenTypes) return rowsOf(batch, 'tokenTypes')
  return rowsOf(batch, 'ids').map((row) => row.map(() => 0))
}

// An addon in a few lines of TypeScript: it keeps weights and gives embeddings from which a test can read what it was given.
import { readSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { placesOf } from '../../lib/models/weight-check.js'
import type {
  ConfigObject,
  Description,
  DType,
  EncodeJobOptions,
  EncoderOutput,
  EncoderSpec,
  FileRange,
  NativeAddon,
  NativeEncoder,
  OnnxGraph,
  PackedBatch,
  TensorInfo,
  TensorRange,
} from '../../lib/native/types.js'

/** Names and shapes of a BertModel checkpoint, without prefix. */
export function bertShapes(config: ConfigObject, pooler = true): [name: string, shape: number[]][] {
  const size = (key: string) => config[key] as number
  const hidden = size('hidden_size')
  const shapes: [string, number[]][] = [
    ['embeddings.word_embeddings.weight', [size('vocab_size'), hidden]],
    ['embeddings.position_embeddings.weight', [size('max_position_embeddings'), hidden]],
    ['embeddings.token_type_embeddings.weight', [size('type_vocab_size'), hidden]],
    ['embeddings.LayerNorm.weight', [hidden]],
    ['embeddings.LayerNorm.bias', [hidden]],
  ]
  const linear = (name: string, out: number, input: number) =>
    shapes.push([`${name}.weight`, [out, input]], [`${name}.bias`, [out]])
  for (let i = 0; i < size('num_hidden_layers'); i++) {
    const layer = `encoder.layer.${i}`
    for (const part of ['query', 'key', 'value']) linear(`${layer}.attention.self.${part}`, hidden, hidden)
    linear(`${layer}.attention.output.dense`, hidden, hidden)
    linear(`${layer}.intermediate.dense`, size('intermediate_size'), hidden)
    linear(`${layer}.output.dense`, hidden, size('intermediate_size'))
    for (const norm of ['attention.output.LayerNorm', 'output.LayerNorm']) {
      shapes.push([`${layer}.${norm}.weight`, [hidden]], [`${layer}.${norm}.bias`, [hidden]])
    }
  }
  if (pooler) linear('pooler.dense', hidden, hidden)
  return shapes
}

/** Where the fake looks for sizes that a real engine has defaults for. */
const BERT = { vocab_size: 30_522, max_position_embeddings: 512, type_vocab_size: 2, num_hidden_layers: 12 }

/** What the engine says of a BERT, without its checks of config.json: those are tested where there is an engine. */
export function describeBert(config: ConfigObject): Description {
  const size = (key: string) => ({ ...BERT, ...config })[key] as number
  const [width, vocabulary] = [size('hidden_size'), size('vocab_size')]
  const transform = 'cls.predictions.transform.'
  return {
    width,
    positions: size('max_position_embeddings'),
    vocabulary,
    tokenTypes: size('type_vocab_size'),
    layers: size('num_hidden_layers'),
    layersKey: 'num_hidden_layers',
    names: {
      prefixes: ['0.auto_model.bert.', '0.auto_model.', 'model.bert.', '0.model.', 'model.', 'bert.'],
      renames: [
        { from: '*LayerNorm.gamma', to: '*LayerNorm.weight' },
        { from: '*LayerNorm.beta', to: '*LayerNorm.bias' },
      ],
      preferred: [],
      leftOut: [
        ...['embeddings.position_ids', 'embeddings.token_type_ids', 'cls.predictions.bias'],
        ...['dense', 'LayerNorm'].flatMap((name) => [`${transform}${name}.weight`, `${transform}${name}.bias`]),
        ...['cls.predictions.decoder.weight', 'cls.predictions.decoder.bias', 'cls.seq_relationship.weight'],
      ],
      heads: ['classifier', 'pre_classifier', 'qa_outputs', 'vocab_transform', 'lm_head', 'logit_scale'],
      layer: 'encoder.layer.',
      pooler: ['pooler.dense.weight', 'pooler.dense.bias'],
    },
    classifier: {
      className: 'BertForSequenceClassification',
      prefix: 'bert.',
      tensors: [
        { name: 'pooler.dense.weight', outside: false },
        { name: 'pooler.dense.bias', outside: false },
        { name: 'classifier.weight', outside: true },
        { name: 'classifier.bias', outside: true },
      ],
    },
    generator: null,
    causal: null,
    languageModel: {
      className: 'BertForMaskedLM',
      prefix: 'bert.',
      tensors: [
        { name: `${transform}dense.weight`, shape: [width, width] },
        { name: `${transform}dense.bias`, shape: [width] },
        { name: `${transform}LayerNorm.weight`, shape: [width] },
        { name: `${transform}LayerNorm.bias`, shape: [width] },
        { name: 'cls.predictions.decoder.weight', shape: [vocabulary, width] },
        { name: 'cls.predictions.bias', shape: [vocabulary] },
      ],
      matrix: 'cls.predictions.decoder.weight',
      bias: { name: 'cls.predictions.bias', second: 'cls.predictions.decoder.bias' },
      table: 'embeddings.word_embeddings.weight',
    },
  }
}

export interface FakeJob {
  batch: PackedBatch
  output: EncoderOutput
  options: EncodeJobOptions
}

/**
 * Embeddings start with: the row's length, the sum of its ids, its prompt length (−1 without), then zeros; a token's embedding
 * with its id. Rejects rows with id `failOn`.
 */
export class FakeEncoder implements NativeEncoder {
  readonly embeddingDimension: number
  readonly tokenDimension: number
  readonly trainingBytesPerToken = 1000
  readonly jobs: FakeJob[] = []
  readonly values = new Map<string, Uint8Array>()
  disposals = 0
  running = 0
  mostRunning = 0
  failOn = -1
  /** While it is pending, jobs wait in the queue. */
  busy: Promise<void> | undefined
  readonly #queued = new Map<number, () => void>()

  constructor(readonly spec: EncoderSpec) {
    this.tokenDimension = spec.config.hidden_size as number
    this.embeddingDimension = spec.modules.reduce((width, module) => {
      if (module.type === 'Pooling') return width * (module.modes as string[]).length
      return module.type === 'Dense' ? (module.outFeatures as number) : width
    }, this.tokenDimension)
  }

  /** With `x_blocks` in config.json query, key and value of a layer are also one block, `attn.Wqkv`. */
  tensors(): TensorInfo[] {
    const { config, modules, pooler } = this.spec
    const classifier = modules.find(({ type }) => type === 'SequenceClassification')
    const shapes = bertShapes(config, pooler || classifier !== undefined).map(([name, shape]) => {
      const [, layer, rest] = /^(encoder\.layer\.\d+\.)attention\.self\.\w+\.(.*)$/.exec(name) ?? []
      const block = config.x_blocks === true && layer !== undefined ? { block: `0.${layer}attn.Wqkv.${rest}` } : {}
      return { name: `0.${name}`, shape, ...block }
    })
    if (classifier) {
      const labels = classifier.numLabels as number
      shapes.push({ name: '0.classifier.weight', shape: [labels, this.tokenDimension] })
      shapes.push({ name: '0.classifier.bias', shape: [labels] })
    }
    modules.forEach((module, i) => {
      if (module.type !== 'Dense') return
      shapes.push({
        name: `${i + 1}.linear.weight`,
        shape: [module.outFeatures as number, module.inFeatures as number],
      })
      if (module.bias) shapes.push({ name: `${i + 1}.linear.bias`, shape: [module.outFeatures as number] })
    })
    const frozen = (name: string) => pooler && name.startsWith('0.pooler')
    return shapes.map((tensor) => ({ ...tensor, group: frozen(tensor.name) ? 'frozen' : 'decay' }))
  }

  graph(): OnnxGraph {
    throw new Error('the fake encoder has no graph')
  }

  async addAdapter(): Promise<void> {
    throw new Error('the fake encoder has no adapters')
  }

  async setAdapter(): Promise<void> {}

  async deleteAdapter(): Promise<void> {}

  async mergeAdapter(): Promise<void> {}

  adapterTensors(): TensorInfo[] {
    return []
  }

  async load(ranges: TensorRange[]): Promise<void> {
    // The engine reads the ranges some time before the promise settles, not at the call.
    await setTimeout(1)
    for (const { name, start, dtype, data } of ranges) {
      const { shape } = placesOf(this.tensors()).get(name)!
      const bytes = dtype === 'F32' ? 4 : dtype === 'F64' ? 8 : 2
      const all = this.values.get(name) ?? new Uint8Array(shape.reduce((product, n) => product * n, bytes))
      all.set(data, start * bytes)
      this.values.set(name, all)
    }
  }

  async loadFile(file: number, ranges: FileRange[]): Promise<void> {
    const read = ranges.map(({ position, bytes, ...range }) => {
      const data = new Uint8Array(bytes)
      if (readSync(file, data, 0, bytes, position) < bytes) throw new Error(`the file ends inside ${range.name}`)
      return { ...range, data }
    })
    await this.load(read)
  }

  async initialize(names: string[], seed: number): Promise<void> {
    for (const name of names) {
      const { shape } = placesOf(this.tensors()).get(name)!
      const values = new Float32Array(shape.reduce((product, n) => product * n, 1)).fill(seed)
      this.values.set(name, new Uint8Array(values.buffer))
    }
  }

  async dump(ranges: TensorRange[]): Promise<void> {
    for (const { name, start, data } of ranges) {
      data.set(this.values.get(name)!.subarray(start * 4, start * 4 + data.length))
    }
  }

  async encode(
    batch: PackedBatch,
    out: Float32Array,
    output: EncoderOutput = 'sentence_embedding',
    options: EncodeJobOptions = {},
  ): Promise<void> {
    const job = { batch, output, options }
    this.jobs.push(job)
    if (this.busy) {
      const { ticket = 0 } = options
      const dropped = new Promise<never>((_, reject) => {
        this.#queued.set(ticket, () => reject(Object.assign(new Error('dropped'), { code: 'ERR_ABORTED' })))
      })
      await Promise.race([this.busy, dropped])
      this.#queued.delete(ticket)
    }
    this.mostRunning = Math.max(this.mostRunning, ++this.running)
    await setTimeout(1)
    this.running--
    if (batch.ids.includes(this.failOn)) {
      throw Object.assign(new Error(`id ${this.failOn} is beyond the vocabulary`), { code: 'ERR_INVALID_ARGUMENT' })
    }
    if (output === 'token_embeddings') {
      batch.ids.forEach((id, i) => {
        out[i * this.tokenDimension] = id
      })
      return
    }
    const width = output === 'pooler_output' ? this.tokenDimension : this.embeddingDimension
    for (let row = 0; row + 1 < batch.offsets.length; row++) {
      const ids = batch.ids.subarray(batch.offsets[row], batch.offsets[row + 1])
      out[row * width] = ids.length
      out[row * width + 1] = ids.reduce((sum, id) => sum + id, 0)
      out[row * width + 2] = batch.promptLengths?.[row] ?? -1
    }
  }

  encodeVectors(): Promise<void> {
    return Promise.reject(new Error('the fake encoder has no vectors of tokens'))
  }

  drop(ticket: number): boolean {
    const drop = this.#queued.get(ticket)
    drop?.()
    return this.#queued.delete(ticket)
  }

  async dispose(): Promise<void> {
    this.disposals++
  }
}

export interface FakeAddon extends NativeAddon {
  encoders: FakeEncoder[]
  threadCounts: number[]
}

export function fakeAddon(fastDTypes: DType[] = ['float32']): FakeAddon {
  const encoders: FakeEncoder[] = []
  const threadCounts: number[] = []
  return {
    encoders,
    threadCounts,
    runtime: () => ({
      addonVersion: '0.1.0',
      libtorchVersion: '0',
      cuda: null,
      devices: [{ name: 'cpu', description: 'none' }],
      fastDTypes,
      cpuFeatures: [],
      cpuKernels: 'portable',
      threads: 1,
    }),
    Collective: class {
      async join(): Promise<void> {}
      async useDevice(): Promise<void> {}
      async exchange(text: string): Promise<string[]> {
        return [text]
      }
      async share(text: string): Promise<string> {
        return text
      }
      async gather(own: Uint8Array, all: Uint8Array): Promise<void> {
        all.set(own)
      }
      async sum(): Promise<void> {}
      async leave(): Promise<void> {}
    },
    describe: (_architecture, config) => describeBert(config),
    setThreads: (threads) => void threadCounts.push(threads),
    profileStart: () => true,
    profileStop: () => ({ wallMs: 0, parts: [], events: new Float64Array(), dropped: 0 }),
    measureMachine: async () => ({
      ...{ gemms: [], copyGBs: 0, elementwiseGBs: 0, geluNs: 0, layerNormNs: 0, dropoutNs: 0 },
    }),
    topK: async (queries, corpus, dim, k, _metric, scores, indices) => {
      for (let q = 0; q * dim < queries.length; q++) {
        const dots = Array.from({ length: corpus.length / dim }, (_, c) => {
          let sum = 0
          for (let d = 0; d < dim; d++) sum += queries[q * dim + d]! * corpus[c * dim + d]!
          return { c, sum }
        }).sort((a, b) => b.sum - a.sum)
        dots.slice(0, k).forEach(({ c, sum }, i) => {
          scores[q * k + i] = sum
          indices[q * k + i] = c
        })
      }
    },
    maxSim: () => Promise.reject(new Error('the fake addon does not compare vectors')),
    poolTokens: () => Promise.reject(new Error('the fake addon does not pool vectors')),
    nearestBits: () => Promise.reject(new Error('the fake addon does not scan codes')),
    nearestBytes: () => Promise.reject(new Error('the fake addon does not scan codes')),
    invertSparse: () => Promise.reject(new Error('the fake addon does not invert rows')),
    sparseTopK: () => Promise.reject(new Error('the fake addon does not search sparse rows')),
    Encoder: class extends FakeEncoder {
      constructor(spec: EncoderSpec) {
        super(spec)
        encoders.push(this)
      }
    },
    Generation: class {
      constructor() {
        throw new Error('the fake addon cannot write texts')
      }
    } as unknown as NativeAddon['Generation'],
    Tensors: class {
      constructor() {
        throw new Error('the fake addon has no tensors')
      }
    } as unknown as NativeAddon['Tensors'],
    Trainer: class {
      constructor() {
        throw new Error('the fake addon does not train')
      }
    } as unknown as NativeAddon['Trainer'],
  }
}

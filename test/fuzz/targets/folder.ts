import { cp, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { CrossEncoder, type Pair, SentenceTransformer, Seq2SeqModel } from '../../../lib/index.js'
import { writeModel } from '../../helpers/model-folders.js'
import { tinyFolder } from '../../helpers/tiny-folder.js'
import type { Edit, Json } from '../case.js'
import { BaseFolder } from '../folders.js'
import { expect } from '../judge.js'
import { fileEdits } from '../mutate.js'
import { shard } from '../shards.js'
import type { Target } from './target.js'

const golden = new URL('../../../../test/parity/golden/', import.meta.url)
/** Bases of a case; `cross-encoder` and `seq2seq` are loaded as such, all others as SentenceTransformer. */
const layouts = ['2.0', '4.1', '5.2', '6.0', 'plain'] as const
/** Of test/parity/golden/modules. */
const parts = ['all', 'static', 'model2vec']
/** Of test/parity/golden/adapters: a model, and the adapter beside it. */
const adapted = ['bert', 'bert-adapter']
const names = [...layouts, ...parts, 'sharded', 'cross-encoder', 'adapter', 'seq2seq']
const folders = new Map<string, BaseFolder>()

const tokens: Json[] = [
  ...['bert', 'roberta', 'distilbert', 'gelu', 'relu', 'tanh', 'mean', 'cls', 'max', 'lasttoken', 'Pooling', 'Dense'],
  ...['StaticEmbedding', 'LayerNorm', 'Dropout', 'WeightedLayerPooling', 'embeddings', 'mapping', 'weights'].flatMap(
    (name) => [name, `sentence_transformers.models.${name}`],
  ),
  ...['sentence_transformers.models.Pooling', 'sentence_transformers.models.Dense', 'torch.nn.modules.activation.Tanh'],
  ...[
    '1_Pooling',
    '2_Dense',
    '../..',
    'model.safetensors',
    'model-00001-of-00002.safetensors',
    'BertTokenizer',
    '[CLS]',
  ],
  ...[
    'embeddings.word_embeddings.weight',
    'encoder.layer.0.output.dense.bias',
    'pooler.dense.weight',
    'WordPiece',
    'BPE',
    'LORA',
    'base_model.model.encoder.layer.0.attention.self.query.lora_A.weight',
    'query',
  ],
  ...[
    't5',
    'mt5',
    'lm_head.weight',
    'shared.weight',
    'decoder.embed_tokens.weight',
    'T5Tokenizer',
    'num_beams',
    'never',
  ],
  ...[32, 16, 64, 40, 50, [50, 32], [32], [32, 32], 1e-12, -1, 0.1, ['mean', 'cls'], 'F32', 'F16', 'F64', 'absolute'],
]

/** Folders of models, which are loaded and used. */
export const folder: Target = {
  warm: { base: '6.0', edits: [] },

  async open(root) {
    for (const name of names) {
      const path = join(root, name)
      await mkdir(path)
      if (name === 'cross-encoder') await cp(new URL('cross-encoder/one', golden), path, { recursive: true })
      else if (name === 'seq2seq') await cp(new URL('seq2seq-folder', golden), path, { recursive: true })
      else if (parts.includes(name)) await cp(new URL(`modules/${name}`, golden), path, { recursive: true })
      else if (name === 'adapter')
        for (const part of adapted) await cp(new URL(`adapters/${part}`, golden), path, { recursive: true })
      else if (name === 'sharded') await shard(await tinyFolder(path))
      else await writeModel(path, name as (typeof layouts)[number])
      folders.set(name, await BaseFolder.of(path))
    }
  },

  make(random) {
    const base = random.pick(names)
    const { files } = folders.get(base)!
    const all = Object.keys(files)
    // Weights are the most of the bytes, but not of what there is to say.
    const some = all.filter((name) => !name.endsWith('.data') || random.oneIn(10))
    return { base, edits: fileEdits(random, files, some, tokens), plan: { save: random.oneIn(20) } }
  },

  async run({ base, edits, plan }, root) {
    const given = folders.get(base)!
    given.change(edits)
    const { save } = (plan ?? {}) as { save?: boolean }
    const texts = ['the cat sat', '', 'passage: a dog ran fast '.repeat(20), 'x\ud800y']
    if (base === 'cross-encoder') {
      await using model = await CrossEncoder.load(given.path)
      const scores = await model.predict(texts.map((text): Pair => [text, 'a mat']))
      expect(scores.data.length > 0 && scores.shape[0] === texts.length, 'every pair has its scores')
      if (save) await model.save(join(root, 'saved'))
      return
    }
    if (base === 'seq2seq') {
      await using model = await Seq2SeqModel.load(given.path)
      // What a folder may ask for, a call may limit.
      const written = await model.generate(['the cat sat', 'x'.repeat(300)], { maxNewTokens: 5 })
      expect(written.length % 2 === 0 && written.length > 0, 'every text has its answers')
      expect(
        written.every((text) => typeof text === 'string'),
        'answers are texts',
      )
      if (save) await model.save(join(root, 'saved'))
      return
    }
    await using model = await SentenceTransformer.load(given.path)
    const { data, shape } = await model.encode(texts)
    expect(shape[0] === texts.length && shape[1] === model.embeddingDimension, 'every text has a vector')
    if (!edits.some(touchesWeights)) expect(data.every(Number.isFinite), 'vectors are finite')
    if (save) await model.save(join(root, 'saved'))
  },
}

function touchesWeights({ file }: Edit): boolean {
  return String(file).includes('.safetensors')
}

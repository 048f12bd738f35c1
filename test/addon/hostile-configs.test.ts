// Sizes and options of a config.json that no model has, or that are not built: refused by the engine before a weight is read.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { SentenceTorchError } from '../../lib/errors.js'
import { type TensorSource, writeSafetensors } from '../../lib/io/safetensors.js'
import { loadCrossEncoderParts } from '../../lib/models/cross-encoder-load.js'
import { loadWith } from '../../lib/models/sentence-transformer.js'
import { loadAddon } from '../../lib/native/load.js'
import type { ConfigObject, ConfigValue } from '../../lib/native/types.js'
import { bertShapes } from '../helpers/fake-addon.js'
import { someTensors, temporaryFolder, writeModel } from '../helpers/model-folders.js'
import { tinyConfig, tinySpec } from '../helpers/tiny-model.js'

const INVALID = 'ERR_INVALID_MODEL'
const MISFIT = 'ERR_INVALID_TENSORS'
const NOT_BUILT = 'ERR_NOT_IMPLEMENTED'
const UNSUPPORTED = 'ERR_UNSUPPORTED'

const jina = 'jinaai/jina-bert-implementation--modeling_bert.'

const refused: [change: ConfigObject, code: string, message: RegExp][] = [
  [{ num_hidden_layers: 1e9 }, INVALID, /from 1 to 4096 as num_hidden_layers in .*config\.json, found 1000000000$/],
  [{ num_hidden_layers: 0 }, INVALID, /num_hidden_layers in .*config\.json, found 0/],
  [{ num_hidden_layers: 4000 }, MISFIT, /num_hidden_layers is 4000 in config\.json.*2 layers/],
  [{ num_hidden_layers: 3 }, MISFIT, /num_hidden_layers is 3 in config\.json.*2 layers/],
  [{ hidden_size: 9e6 }, INVALID, /at most 68719476736 parameters in .*config\.json.*hidden_size 9000000/],
  [{ hidden_size: 1e9 }, INVALID, /from 1 to 10000000 as hidden_size/],
  [{ hidden_size: 64 }, INVALID, /in_features 32, but its input is 64/],
  [{ hidden_size: '32' }, INVALID, /integer.* as hidden_size in .*config\.json, found "32"/],
  [{ hidden_size: 32.5 }, INVALID, /hidden_size in .*config\.json, found 32\.5/],
  [{ hidden_size: null }, INVALID, /hidden_size in .*config\.json, found null/],
  [{ hidden_size: true }, INVALID, /hidden_size in .*config\.json, found true/],
  [{ hidden_size: [32] }, INVALID, /hidden_size in .*config\.json, found an array of length 1/],
  [{ hidden_size: { x: 'y'.repeat(100) } }, INVALID, /hidden_size in .*config\.json, found an object/],
  [{ hidden_size: `"${'x'.repeat(100)}` }, INVALID, /found "\\"x{56}\.\.\."$/],
  [{ vocab_size: 9e6 }, MISFIT, /word_embeddings\.weight is \[50,32\].*\[9000000,32\]/],
  [{ max_position_embeddings: 9e6 }, MISFIT, /position_embeddings.* is \[40,32\].*\[9000000,32\]/],
  [{ type_vocab_size: 9e6 }, MISFIT, /\[2,32\].*\[9000000,32\]/],
  [{ intermediate_size: 9e6 }, MISFIT, /intermediate\.dense\.weight is \[64,32\].*\[9000000,32\]/],
  [{ num_attention_heads: 0 }, INVALID, /from 1 to 65535 as num_attention_heads in .*config\.json, found 0/],
  [{ num_attention_heads: -2 }, INVALID, /num_attention_heads in .*config\.json, found -2/],
  [{ num_attention_heads: 3 }, INVALID, /divisor of hidden_size 32 as num_attention_heads in .*config\.json, found 3/],
  [{ layer_norm_eps: -1 }, INVALID, /layer_norm_eps in .*config\.json, found -1/],
  [{ layer_norm_eps: 0 }, INVALID, /above 0 as layer_norm_eps/],
  [{ hidden_dropout_prob: 1 }, INVALID, /hidden_dropout_prob/],
  [{ attention_probs_dropout_prob: 'x' }, INVALID, /attention_probs_dropout_prob in .*, found "x"/],
  [{ classifier_dropout: 2 }, INVALID, /0 and at most 0\.9999 as classifier_dropout in .*, found 2/],
  [{ initializer_range: 'x' }, INVALID, /initializer_range in .*, found "x"/],
  [{ hidden_act: ['gelu'] }, INVALID, /text as hidden_act/],
  [{ hidden_act: 'mish' }, NOT_BUILT, /mish of hidden_act in .*config\.json is not built: expected gelu/],
  [{ pad_token_id: 0.5 }, INVALID, /pad_token_id/],
  [{ is_decoder: 'yes' }, INVALID, /true or false as is_decoder in .*config\.json, found "yes"/],
  [{ is_decoder: true }, NOT_BUILT, /config\.json has is_decoder: true, which is not built yet; built: false/],
  [{ add_cross_attention: true }, NOT_BUILT, /add_cross_attention: true/],
  [
    { position_embedding_type: 'relative_key' },
    NOT_BUILT,
    /position_embedding_type: "relative_key".*built: "absolute"/,
  ],
  [{ position_embedding_type: 7 }, INVALID, /text as position_embedding_type in .*, found 7/],
  [{ quantization_config: { quant_method: 'bitsandbytes' } }, NOT_BUILT, /quantization_config: an object/],
  [{ model_type: 'mamba' }, NOT_BUILT, /config\.json has model_type "mamba"; built are: .*bert/],
  [{ model_type: null }, INVALID, /text as model_type in .*config\.json, found null/],
  [{ model_type: 'own', auto_map: { AutoModel: 'modeling.Own' } }, UNSUPPORTED, /auto_map.*trust_remote_code.*bert/],
  // As jinaai/jina-embeddings-v2-base-en has it.
  [
    {
      auto_map: {
        AutoConfig: 'jinaai/jina-bert-implementation--configuration_bert.JinaBertConfig',
        AutoModel: `${jina}JinaBertModel`,
      },
      ...{ position_embedding_type: 'alibi', feed_forward_type: 'geglu' },
    },
    UNSUPPORTED,
    /config\.json has auto_map with JinaBertConfig.*trust_remote_code.* model_type bert is another model/,
  ],
  [{ auto_map: { AutoTokenizer: ['tokenization.Own', null] } }, UNSUPPORTED, /auto_map with Own/],
]

test('a hostile config.json is an error that names file, key and value', async (t) => {
  const folder = await temporaryFolder(t)
  await writeModel(folder, '5.2')
  for (const [change, code, message] of refused) {
    await writeFile(join(folder, 'config.json'), JSON.stringify({ ...tinyConfig, ...change }))
    const label = JSON.stringify(change).slice(0, 100)
    const error = await t.throwsAsync(loadWith(loadAddon, folder, {}), { instanceOf: SentenceTorchError, code }, label)
    t.regex(error.message, message, label)
    t.true(error.message.length < 2000, label)
  }
})

const tinyDecoder = {
  ...{ vocab_size: 50, hidden_size: 32, num_hidden_layers: 2, num_attention_heads: 4, num_key_value_heads: 2 },
  // Of DeBERTa.
  ...{ relative_attention: true, share_att_key: true, pos_att_type: 'p2c|c2p', norm_rel_ebd: 'layer_norm' },
  ...{ head_dim: 8, intermediate_size: 64, max_position_embeddings: 40 },
}

const refusedDecoders: [type: string, change: ConfigObject, code: string, message: RegExp][] = [
  [
    'qwen3',
    { num_key_value_heads: 3 },
    INVALID,
    /divisor of num_attention_heads 4 as num_key_value_heads .*, found 3$/,
  ],
  ['qwen3', { num_key_value_heads: 8 }, INVALID, /from 1 to 4 as num_key_value_heads in config\.json, found 8$/],
  ['qwen3', { head_dim: 7 }, INVALID, /even size of a head.*found 7$/],
  ['qwen3', { head_dim: null }, INVALID, /head_dim in config\.json, found null$/],
  ['qwen3', { head_dim: 9e6, num_hidden_layers: 4096 }, INVALID, /at most 68719476736 parameters in config\.json/],
  ['qwen3', { rms_norm_eps: 0 }, INVALID, /above 0 as rms_norm_eps/],
  ['qwen3', { is_causal: 'no' }, INVALID, /true or false as is_causal in config\.json, found "no"$/],
  ['qwen3', { hidden_act: 'mish' }, NOT_BUILT, /mish of hidden_act in config\.json is not built/],
  ['qwen3', { use_sliding_window: true, sliding_window: 0 }, INVALID, /at least 1 as sliding_window.*found 0$/],
  ['qwen3', { layer_types: ['full_attention'] }, INVALID, /Expected 2 layer_types in config\.json.*found 1$/],
  ['qwen3', { layer_types: ['full_attention', 'chunked_attention'] }, NOT_BUILT, /built: full_attention and sliding/],
  ['qwen3', { layer_types: ['full_attention', 'sliding_attention'] }, NOT_BUILT, /with use_sliding_window: true alone/],
  [
    'qwen3',
    { rope_scaling: { rope_type: 'yarn', factor: 4 } },
    NOT_BUILT,
    /rope_type: "yarn".*built: "default", "linear"/,
  ],
  ['qwen2', { rope_scaling: { type: 'dynamic', factor: 2 } }, NOT_BUILT, /type: "dynamic".*built: "default", "linear"/],
  [
    'qwen2',
    { rope_parameters: { rope_type: 'ntk', factor: 2 } },
    NOT_BUILT,
    /rope_type: "ntk".*built: "default", "linear"/,
  ],
  ['qwen2', { partial_rotary_factor: 0.5 }, NOT_BUILT, /partial_rotary_factor: 0\.5/],
  ['qwen2', { rope_parameters: { partial_rotary_factor: 0.5 } }, NOT_BUILT, /partial_rotary_factor: 0\.5/],
  ['qwen2', { rope_theta: -1 }, INVALID, /rope_theta in config\.json, found -1$/],
  ['gemma3_text', { attn_logit_softcapping: 50 }, NOT_BUILT, /attn_logit_softcapping: 50.*built: null/],
  ['gemma3_text', { is_causal: false }, NOT_BUILT, /is_causal: false.*built: true/],
  ['gemma3_text', { use_bidirectional_attention: 'vision' }, INVALID, /true or false as use_bidirectional_attention/],
  ['gemma3_text', { query_pre_attn_scalar: 0 }, INVALID, /above 0 as query_pre_attn_scalar/],
  ['gemma3_text', { sliding_window: 0 }, INVALID, /at least 1 as sliding_window/],
  ['gemma3_text', { sliding_window_pattern: 0 }, INVALID, /at least 1 as sliding_window_pattern/],
  ['gemma3_text', { rope_parameters: { rope_type: 'default' } }, NOT_BUILT, /objects of full_attention and sliding/],
  ['gemma3_text', { rope_scaling: { rope_type: 'yarn', factor: 8 } }, NOT_BUILT, /rope_type: "yarn"/],
  ['gemma3_text', { rope_local_base_freq: 'x' }, INVALID, /rope_local_base_freq in config\.json, found "x"/],
  ['deberta-v2', { relative_attention: false }, NOT_BUILT, /relative_attention: false.*built: true/],
  ['deberta-v2', { share_att_key: false }, NOT_BUILT, /share_att_key: false.*built: true/],
  ['deberta-v2', { pos_att_type: 'c2p' }, NOT_BUILT, /pos_att_type: "c2p".*c2p and p2c together/],
  // As microsoft/deberta-v2-xlarge has it.
  ['deberta-v2', { conv_kernel_size: 3 }, NOT_BUILT, /conv_kernel_size: 3.*built: 0/],
  ['deberta-v2', { embedding_size: 16 }, NOT_BUILT, /embedding_size: 16/],
  ['deberta-v2', { attention_head_size: 16 }, NOT_BUILT, /attention_head_size: 16/],
  ['deberta-v2', { position_buckets: 100 }, INVALID, /position_buckets.*found 100 and 40$/],
  ['deberta-v2', { position_buckets: 1e9 }, INVALID, /from -1 to 1000000 as position_buckets/],
  ['deberta-v2', { norm_rel_ebd: 7 }, INVALID, /norm_rel_ebd/],
  // As Alibaba-NLP/gte-Qwen2-1.5B-instruct has it.
  ['qwen2', { auto_map: { AutoModel: 'modeling_qwen.Qwen2Model' } }, UNSUPPORTED, /auto_map with Qwen2Model.*qwen2/],
]

test('options of decoders that are wrong or not built are refused by name', (t) => {
  const { describe } = loadAddon()
  for (const [type, change, code, message] of refusedDecoders) {
    const error = t.throws(
      () => describe(type, { model_type: type, ...tinyDecoder, ...change }),
      { code },
      JSON.stringify(change),
    )
    t.regex(error.message, message)
  }
  for (const type of ['qwen2', 'qwen3', 'gemma3_text'])
    t.is(describe(type, { model_type: type, ...tinyDecoder }).positions, 40)
})

test('adapters of an architecture that does not take them are refused by name', async (t) => {
  const config = { model_type: 'deberta-v2', ...tinyDecoder }
  const encoder = new (loadAddon().Encoder)(tinySpec({}, { architecture: 'deberta-v2', config }))
  const target = { name: '0.encoder.layer.0.intermediate.dense.weight', rank: 2, alpha: 2 }
  const spec = { name: 'own', dropout: 0, rankStabilized: false, targets: [target] }
  await t.throwsAsync(encoder.addAdapter(spec, 1), { code: NOT_BUILT, message: /model_type deberta-v2 are not built/ })
  await encoder.dispose()
})

test('what transformers takes is taken: defaults for what is absent, null, empty maps, chunks, deep unknown keys', (t) => {
  const { describe } = loadAddon()
  const { hidden_size, vocab_size, ...rest } = tinyConfig
  t.like(describe('bert', { ...rest, num_attention_heads: 12 }), {
    width: 768,
    vocabulary: 30_522,
    positions: 40,
    layers: 2,
  })
  t.like(describe('bert', {}), { width: 768, vocabulary: 30_522, positions: 512, layers: 12, tokenTypes: 2 })
  let deep: ConfigValue = 1
  for (let i = 0; i < 198; i++) deep = [deep]
  const taken: ConfigObject[] = [
    { classifier_dropout: null, pad_token_id: null, layer_norm_eps: null, initializer_range: null },
    { auto_map: null, quantization_config: null, is_decoder: null, position_embedding_type: null },
    { auto_map: {}, chunk_size_feed_forward: 7, use_cache: true, x: deep },
  ]
  for (const harmless of taken) t.is(describe('bert', { ...tinyConfig, ...harmless }).width, 32)
})

test('the description of a BERT', (t) => {
  const { describe } = loadAddon()
  const { names, classifier, languageModel, generator, ...sizes } = describe('bert', {
    ...tinyConfig,
    initializer_range: 0.05,
  })
  t.deepEqual(sizes, {
    width: 32,
    positions: 40,
    vocabulary: 50,
    tokenTypes: 2,
    layers: 2,
    layersKey: 'num_hidden_layers',
    causal: null,
  })
  t.deepEqual(names.prefixes, ['0.auto_model.bert.', '0.auto_model.', 'model.bert.', '0.model.', 'model.', 'bert.'])
  t.deepEqual(names.pooler, ['pooler.dense.weight', 'pooler.dense.bias'])
  t.deepEqual(classifier, {
    className: 'BertForSequenceClassification',
    prefix: 'bert.',
    tensors: [
      { name: 'pooler.dense.weight', outside: false },
      { name: 'pooler.dense.bias', outside: false },
      { name: 'classifier.weight', outside: true },
      { name: 'classifier.bias', outside: true },
    ],
  })
  t.is(languageModel?.className, 'BertForMaskedLM')
  t.is(generator, null)
  // The head's names are those of the engine.
  const { Encoder } = loadAddon()
  const modules = [{ type: 'SequenceClassification', numLabels: 3 }]
  const tensors = new Encoder(tinySpec({}, { modules })).tensors().map(({ name }) => name)
  for (const { name } of classifier!.tensors) t.true(tensors.includes(`0.${name}`), name)
  const error = t.throws(() => describe('bert', { ...tinyConfig, hidden_size: '32' }), { code: INVALID })
  t.is(error.message, 'Expected an integer from 1 to 10000000 as hidden_size in config.json, found "32"')
  for (const wrong of [
    [7, {}],
    ['bert', null],
    ['bert', []],
  ]) {
    t.throws(() => describe(wrong[0] as string, wrong[1] as ConfigObject), { code: 'ERR_INVALID_ARGUMENT' })
  }
})

test('a T5 that is not built, or that there is not', (t) => {
  const { describe } = loadAddon()
  t.like(describe('t5', {}), { width: 512, vocabulary: 32_128, positions: null, layers: 6, tokenTypes: 0 })
  t.like(describe('mt5', {}), { width: 512, vocabulary: 250_112, positions: null, layers: 8, layersKey: 'num_layers' })
  const { generator } = describe('t5', {
    num_layers: 3,
    num_decoder_layers: null,
    eos_token_id: [1, 7],
    pad_token_id: null,
  })
  t.like(generator, {
    layers: 3,
    className: 'T5ForConditionalGeneration',
    decoderStart: null,
    padding: null,
    ends: [1, 7],
  })
  t.like(describe('mt5', { eos_token_id: null }).generator, { layers: 8, decoderStart: 0, padding: 0, ends: [] })
  const wrong: [change: ConfigObject, code: string, message: RegExp][] = [
    [{ feed_forward_proj: 'gated-tanh' }, NOT_BUILT, /feed_forward_proj: "gated-tanh".*built: relu.*gated-gelu/],
    [{ feed_forward_proj: 7 }, INVALID, /text as feed_forward_proj/],
    [{ dense_act_fn: 'mish' }, NOT_BUILT, /dense_act_fn: "mish"/],
    [{ is_gated_act: 1 }, INVALID, /true or false as is_gated_act/],
    [{ is_decoder: true }, NOT_BUILT, /is_decoder: true/],
    [{ hidden_size: 13 }, NOT_BUILT, /hidden_size: 13.*built: 512/],
    [{ num_heads: 0 }, INVALID, /num_heads in .*found 0/],
    [{ d_kv: 0 }, INVALID, /d_kv in .*found 0/],
    [{ d_model: 9e6 }, INVALID, /d_model 9000000/],
    [{ d_kv: 9e6 }, INVALID, /at most 68719476736 parameters/],
    [{ relative_attention_num_buckets: 3 }, INVALID, /from 4 .*relative_attention_num_buckets/],
    [{ relative_attention_max_distance: 16 }, INVALID, /from 17 .*relative_attention_max_distance/],
    [{ num_decoder_layers: 5000 }, INVALID, /from 1 to 4096 as num_decoder_layers/],
    [{ dropout_rate: 1 }, INVALID, /dropout_rate/],
    [{ initializer_factor: 'x' }, INVALID, /initializer_factor/],
    [{ tie_word_embeddings: 'no' }, INVALID, /tie_word_embeddings/],
    [{ eos_token_id: 'x' }, INVALID, /eos_token_id/],
    [{ decoder_start_token_id: -1 }, INVALID, /decoder_start_token_id/],
  ]
  for (const [change, code, message] of wrong) {
    const error = t.throws(() => describe('t5', change), { code }, JSON.stringify(change))
    t.regex(error.message, message)
  }
})

test('weights that no model has: NaN, another dtype, a file cut short, a tensor twice', async (t) => {
  const folder = await temporaryFolder(t)
  const load = async (tensors: TensorSource[]) => {
    await writeModel(folder, 'plain')
    await writeSafetensors(join(folder, 'model.safetensors'), tensors)
    return loadWith(loadAddon, folder, {})
  }
  const whole = someTensors(bertShapes(tinyConfig))
  const changed = (change: Partial<TensorSource>) =>
    whole.map((tensor, i) => (i === 3 ? { ...tensor, ...change } : tensor))
  const nan = new Uint8Array(new Float32Array(32).fill(Number.NaN).buffer)
  await t.throwsAsync(load(changed({ data: nan })), {
    code: MISFIT,
    message: /embeddings\.LayerNorm\.weight.*not finite/,
  })
  await t.throwsAsync(load(changed({ dtype: 'I32' })), { code: MISFIT, message: /wrong dtype: embeddings\.LayerNorm/ })
  const twice = [...whole, ...someTensors([['bert.embeddings.LayerNorm.gamma', [32]]])]
  await t.throwsAsync(load(twice), {
    code: MISFIT,
    message: /bert\.embeddings\.LayerNorm\.gamma and embeddings\.LayerNorm\.weight in .*same tensor/,
  })
  await (await load(whole)).dispose()
})

test('a classifier of more labels than its tensors have', async (t) => {
  const folder = await temporaryFolder(t)
  await writeModel(folder, 'plain', { architectures: ['BertForSequenceClassification'], num_labels: 1e6 })
  const error = await t.throwsAsync(loadCrossEncoderParts(loadAddon, folder, {}), { code: MISFIT })
  t.regex(error.message, /missing: 0\.classifier\.weight \[1000000,32\]/)
})

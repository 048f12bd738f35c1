/** Tokenizer classes of transformers by `model_type`, for folders that name no class. */
const TYPES_BY_CLASS: Readonly<Record<string, string>> = {
  BertTokenizer:
    'bert distilbert electra ernie megatron-bert nezha nomic_bert qdqbert squeezebert layoutlm realm retribert visual_bert',
  RobertaTokenizer: 'roberta roberta-prelayernorm bart data2vec-text ibert lilt longformer mra mega',
  XLMRobertaTokenizer: 'xlm-roberta xmod gte jina_embeddings_v3',
  T5Tokenizer: 't5 mt5 switch_transformers',
  GPT2Tokenizer: 'gpt2 gpt_neo gptj codegen opt phi',
  Qwen2Tokenizer: 'qwen2 qwen2_moe qwen3 qwen3_moe qwen3_next',
  GemmaTokenizer: 'gemma gemma2 gemma3 gemma3_text gemma3n gemma3n_text recurrent_gemma t5gemma',
  MPNetTokenizer: 'mpnet',
  CamembertTokenizer: 'camembert',
  DebertaV2Tokenizer: 'deberta-v2',
  DebertaTokenizer: 'deberta',
  AlbertTokenizer: 'albert yoso',
  MobileBertTokenizer: 'mobilebert',
  LxmertTokenizer: 'lxmert',
  DPRQuestionEncoderTokenizer: 'dpr',
  BigBirdTokenizer: 'big_bird',
  XLNetTokenizer: 'xlnet',
  FunnelTokenizer: 'funnel',
  RoFormerTokenizer: 'roformer',
  RemBertTokenizer: 'rembert',
  EsmTokenizer: 'esm',
  PreTrainedTokenizerFast:
    'modernbert modernbert-decoder umt5 xlm-roberta-xl nystromformer granite granitemoe olmo2 olmo3 stablelm ' +
    'internlm2 internlm3 jamba minicpm3 nemotron phi3 phimoe',
}

const classByType = new Map(
  Object.entries(TYPES_BY_CLASS).flatMap(([name, types]) => types.split(' ').map((type) => [type, name] as const)),
)
/** Model types whose folders are known to name a wrong class. */
const WRONGLY_NAMED = ['qwen2']

/** The class that uses tokenizer.json unchanged. */
export const PLAIN_CLASS = 'PreTrainedTokenizerFast'

/**
 * The tokenizer class that `AutoTokenizer` chooses, without the ending Fast, which has no meaning any more.
 * @param named `tokenizer_class` of tokenizer_config.json or config.json
 * @param modelType `model_type` of config.json; BERT's if that is unknown too
 * @param bytes whether tokenizer.json has a ByteLevel
 * Source: transformers 5.24, `AutoTokenizer.from_pretrained`.
 */
export function classOf(named: string | undefined, modelType: string | undefined, bytes: () => boolean): string {
  const registered = modelType === undefined ? undefined : classByType.get(modelType)
  if (named === undefined) return registered ?? (modelType === undefined ? 'BertTokenizer' : PLAIN_CLASS)
  if (registered === PLAIN_CLASS) return PLAIN_CLASS
  const name = named === PLAIN_CLASS ? PLAIN_CLASS : named.replace(/Fast$/, '')
  if (registered !== undefined && WRONGLY_NAMED.includes(modelType!)) return registered
  // Llama 3 names this class but is not one.
  return name === 'LlamaTokenizer' && bytes() ? PLAIN_CLASS : name
}

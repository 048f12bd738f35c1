import { readFileSync } from 'node:fs'
import { PairTokenizer } from '../../../lib/data/pairs.js'
import { makeTokenizer } from '../../../lib/models/start-engine.js'
import { SPECIAL_TOKENS, wordPieceTokenizer } from '../../helpers/word-piece.js'
import { bytesOf, changedFiles, type Files, type Json } from '../case.js'
import { expect } from '../judge.js'
import { fileEdits } from '../mutate.js'
import { anyText, oddText } from '../texts.js'
import type { Target } from './target.js'

const folder = new URL('../../../../test/parity/golden/tokenizer/', import.meta.url)
const golden = (name: string) => JSON.parse(readFileSync(new URL(name, folder), 'utf8'))
const WORDS = 'the a cat dog sat ran on mat 中 文 don t fast slow ##s ##ing un'.split(' ')
const MOST_TOKENS = 10_000_000
const NAMES = ['tokenizer.json', 'tokenizer_config.json', 'added_tokens.json', 'special_tokens_map.json']

const tokens: Json[] = [
  ...['BPE', 'WordPiece', 'Unigram', 'WordLevel', 'Sequence', 'Split', 'ByteLevel', 'Metaspace', 'BertPreTokenizer'],
  ...[
    'Whitespace',
    'WhitespaceSplit',
    'Digits',
    'Punctuation',
    'UnicodeScripts',
    'CharDelimiterSplit',
    'Removed',
    'Isolated',
  ],
  ...[
    'MergedWithPrevious',
    'Contiguous',
    'Precompiled',
    'NFC',
    'NFKD',
    'Lowercase',
    'StripAccents',
    'Replace',
    'Prepend',
  ],
  ...[
    'BertNormalizer',
    'TemplateProcessing',
    'RobertaProcessing',
    'BertProcessing',
    'BertTokenizer',
    'RobertaTokenizer',
  ],
  ...[
    'LlamaTokenizer',
    'XLMRobertaTokenizer',
    'pattern',
    'String',
    'Regex',
    'replacement',
    'prepend_scheme',
    'unk_token',
  ],
  ...[...SPECIAL_TOKENS, '▁', 'Ġ', '##', 'a b', '\\p{N}{1,3}', '(?i:x)|\\s+(?!\\S)', '(a|a)*b', "'(?:[sdmt]|ll)"],
  ...[
    { Regex: '(a+)+$' },
    { Regex: '\\s+' },
    { Regex: "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+" },
    { String: '' },
    { Regex: '' },
    ['a', 'b'],
    ['a', -1.5],
    ['', 0],
    5,
    100,
    1e5,
  ],
]

interface Golden {
  name: string
  files: Record<string, Json>
}

interface BytePairs {
  name: string
  json: { [key: string]: Json }
  model: { [key: string]: Json }
  tokens: string[]
}

const bases = new Map<string, Files>()

/** tokenizer.json and its kin, and what the tokenizer makes of odd texts. */
export const tokenizer: Target = {
  warm: { base: 'bert', edits: [], plan: { texts: ['the cat'] } },

  async open() {
    const config = { tokenizer_class: 'BertTokenizer', do_lower_case: true, model_max_length: 40 }
    bases.set('bert', { 'tokenizer.json': wordPieceTokenizer(WORDS) as Json, 'tokenizer_config.json': config })
    const { cases } = golden('kinds.json') as { cases: Golden[] }
    for (const { name, files } of cases) {
      bases.set(name, {
        'tokenizer.json': files.json!,
        'tokenizer_config.json': files.config ?? {},
        'added_tokens.json': files.addedTokens ?? {},
        'special_tokens_map.json': files.specialTokensMap ?? {},
      })
    }
    const decoders: Json[] = [
      { type: 'Replace', pattern: { Regex: '[a-c]+' }, content: ' ' },
      ...[{ type: 'ByteFallback' }, { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always', split: true }],
      ...[{ type: 'WordPiece', prefix: '##', cleanup: true }, { type: 'BPEDecoder', suffix: '</w>' }, { type: 'Fuse' }],
      ...[
        { type: 'Strip', content: ' ', start: 1, stop: 1 },
        { type: 'CTC', pad_token: 'a', cleanup: false },
      ],
    ]
    bases.set('decoders', {
      'tokenizer.json': {
        ...(wordPieceTokenizer(WORDS) as { [key: string]: Json }),
        decoder: { type: 'Sequence', decoders },
      },
      'tokenizer_config.json': { tokenizer_class: 'PreTrainedTokenizerFast' },
    })
    const { kinds } = golden('byte-pairs.json') as { kinds: BytePairs[] }
    for (const { name, json, model, tokens } of kinds) {
      const vocab = Object.fromEntries(tokens.map((token, id) => [token, id]))
      bases.set(name, {
        'tokenizer.json': { ...json, model: { ...model, vocab } },
        'tokenizer_config.json': { tokenizer_class: 'PreTrainedTokenizerFast' },
      })
    }
  },

  make(random) {
    const base = random.oneIn(4) ? 'bert' : random.pick([...bases.keys()])
    const files = bases.get(base)!
    // Good files with odd texts, too.
    const edits = random.oneIn(5) ? [] : fileEdits(random, files, ['tokenizer.json', random.pick(NAMES)], tokens)
    const texts = random.some(1, 6, () => (random.oneIn(4) ? anyText(random) : oddText(random)))
    return { base, edits, plan: { texts, maxSeqLength: random.pick([40, 3, 2, 1, 512]), lower: random.oneIn(8) } }
  },

  async run({ base, edits, plan }) {
    const files = new Map<string, Uint8Array>()
    for (const [name, content] of Object.entries(bases.get(base)!)) files.set(name, bytesOf(content))
    for (const [name, content] of changedFiles(bases.get(base)!, edits)) {
      if (content === null) files.delete(name)
      else files.set(name, content)
    }
    const { texts = [], maxSeqLength = 40, lower = false } = (plan ?? {}) as Record<string, never>
    const tokenizer = makeTokenizer({
      first: 'Transformer',
      config: {},
      tokenizerFiles: files as Map<string, Buffer>,
      doLowerCase: lower,
      maxSeqLength,
      transformerPath: 'folder',
    })
    try {
      const { ids, offsets } = await tokenizer.encodeAll(texts, maxSeqLength, { allowEmpty: true })
      const size = tokenizer.vocabSize
      expect(Number.isSafeInteger(size), 'the size of the vocabulary is a number')
      // A template may name ids beyond the vocabulary, in Python, too.
      expect(
        ids.every((id) => id >= 0 && id < MOST_TOKENS),
        'ids are of the vocabulary',
      )
      expect(offsets.length === texts.length + 1 && offsets.at(-1) === ids.length, 'every text has its ids')
      tokenizer.continuations()
      const decoded = tokenizer.batchDecode({ ids, offsets }, { cleanUpTokenizationSpaces: true })
      expect(decoded.length === texts.length && decoded.every((text) => typeof text === 'string'), 'ids have a text')
      tokenizer.promptLength('the cat')
      if (maxSeqLength > 8) new PairTokenizer(tokenizer)
    } finally {
      await tokenizer.dispose()
    }
  },
}

import test from 'ava'
import { type MaskingOptions, maskTokens, NO_TARGET } from '../../lib/data/masking.js'
import { selectRows } from '../../lib/data/pack.js'
import { Random } from '../../lib/data/random.js'
import { Tokenizer } from '../../lib/data/tokenizer.js'
import { wordPieceTokenizer } from '../helpers/word-piece.js'

const options: MaskingOptions = { maskTokenId: 4, vocabSize: 1000, specialTokenIds: new Set([0, 1, 2, 3, 4]) }
const LENGTH = 50

/** Texts of 48 tokens between 2 and 3. */
function texts(count: number) {
  const random = new Random(5)
  const ids = Int32Array.from({ length: count * LENGTH }, (_, i) => {
    const place = i % LENGTH
    return place === 0 ? 2 : place === LENGTH - 1 ? 3 : 5 + random.below(995)
  })
  return { ids, offsets: Int32Array.from({ length: count + 1 }, (_, i) => i * LENGTH) }
}
const rowsTo = (count: number, from = 0) => Array.from({ length: count }, (_, i) => from + i)

test('15 % are predicted; 80 % of them masked, 10 % random, 10 % as they were; special tokens never', (t) => {
  const tokens = texts(2000)
  const before = tokens.ids.slice()
  const { ids, targets } = maskTokens(tokens, options, { seed: 1, epoch: 0, rows: rowsTo(2000) })
  t.deepEqual(tokens.ids, before, 'the tokens themselves stay')
  const counts = { predicted: 0, masked: 0, kept: 0, random: 0 }
  for (let i = 0; i < ids.length; i++) {
    if (targets[i] === NO_TARGET) {
      t.is(ids[i], before[i])
      continue
    }
    t.is(targets[i], before[i])
    t.true(before[i]! >= 5)
    counts.predicted++
    if (ids[i] === 4) counts.masked++
    else if (ids[i] === before[i]) counts.kept++
    else counts.random++
  }
  const near = (found: number, of: number, share: number) => {
    // Five standard deviations of a binomial.
    const room = 5 * Math.sqrt(of * share * (1 - share))
    t.true(Math.abs(found - of * share) < room, `${found} of ${of}, expected ${share}`)
  }
  near(counts.predicted, 2000 * 48, 0.15)
  near(counts.masked, counts.predicted, 0.8)
  near(counts.kept, counts.predicted, 0.1)
  near(counts.random, counts.predicted, 0.1)
})

test('a mask depends on seed, epoch and row, and on nothing else in the batch', (t) => {
  const tokens = texts(20)
  const mask = (seed: number, epoch: number) => maskTokens(tokens, options, { seed, epoch, rows: rowsTo(20) })
  const first = mask(1, 0)
  t.deepEqual(mask(1, 0), first)
  t.notDeepEqual(mask(2, 0).targets, first.targets)
  t.notDeepEqual(mask(1, 1).targets, first.targets)
  const some = [17, 3, 8]
  const { ids, targets } = maskTokens(selectRows(tokens, some), options, { seed: 1, epoch: 0, rows: some })
  for (const [i, row] of some.entries()) {
    const [at, from] = [i * LENGTH, row * LENGTH]
    t.deepEqual(ids.subarray(at, at + LENGTH), first.ids.subarray(from, from + LENGTH))
    t.deepEqual(targets.subarray(at, at + LENGTH), first.targets.subarray(from, from + LENGTH))
  }
})

test('whole words: a word is masked from its first token to its last', (t) => {
  const tokens = texts(300)
  // Every id with the remainder 1 or 2 goes on with the token before.
  const continuesWord = Uint8Array.from({ length: 1000 }, (_, id) => Number(id % 3 > 0 && id > 4))
  const { ids, targets } = maskTokens(tokens, { ...options, continuesWord }, { seed: 1, epoch: 0, rows: rowsTo(300) })
  let words = 0
  let predicted = 0
  for (let i = 0; i < ids.length; i++) {
    const id = tokens.ids[i]!
    t.is(ids[i], targets[i] === NO_TARGET ? id : 4)
    if (id < 5) continue
    const starts = !continuesWord[id] || tokens.ids[i - 1]! < 5
    if (starts) words++
    if (starts && targets[i] !== NO_TARGET) predicted++
    if (!starts) t.is(targets[i] === NO_TARGET, targets[i - 1] === NO_TARGET)
  }
  t.true(Math.abs(predicted - 0.15 * words) < 5 * Math.sqrt(words * 0.15 * 0.85), `${predicted} of ${words}`)
})

test('what a tokenizer knows for masking', (t) => {
  const json = wordPieceTokenizer(['play', '##ing', 'the'])
  const tokenizer = Tokenizer.fromFiles(json, { mask_token: '[MASK]' }, { maxSeqLength: 16 })
  t.is(tokenizer.maskTokenId, 4)
  t.deepEqual([...tokenizer.specialTokenIds], [0, 1, 2, 3, 4])
  t.is(tokenizer.tokenId('play'), 5)
  t.is(tokenizer.tokenId('no'), undefined)
  t.deepEqual([...tokenizer.continuations()], [0, 0, 0, 0, 0, 0, 1, 0])
  const object = Tokenizer.fromFiles(json, { mask_token: { content: '[MASK]' } }, { maxSeqLength: 16 })
  t.is(object.maskTokenId, 4)
  t.is(Tokenizer.fromFiles(json, {}, { maxSeqLength: 16 }).maskTokenId, 4, 'without a class it is a BertTokenizer')
  const other = { tokenizer_class: 'PreTrainedTokenizerFast' }
  t.is(Tokenizer.fromFiles(json, other, { maxSeqLength: 16 }).maskTokenId, undefined)
})

test('the fingerprint of a tokenizer changes with what decides about ids', async (t) => {
  const of = (words: string[], config: object = {}, maxSeqLength = 16, doLowerCase = false) =>
    Tokenizer.fromFiles(wordPieceTokenizer(words), config, { maxSeqLength, doLowerCase }).fingerprint()
  const base = await of(['a', 'b'])
  t.is(await of(['a', 'b'], {}, 32), base)
  t.not(await of(['b', 'a']), base)
  t.not(await of(['a', 'b', 'c']), base)
  t.not(await of(['a', 'b'], { do_lower_case: false }), base)
  t.not(await of(['a', 'b'], {}, 16, true), base)
})

test('wrong shares are refused', (t) => {
  const tokens = texts(1)
  const seeds = { seed: 1, epoch: 0, rows: [0] }
  const argument = { code: 'ERR_INVALID_ARGUMENT' }
  for (const wrong of [
    { mlmProbability: 1.5 },
    { maskReplaceProb: -1 },
    { maskReplaceProb: 0.8, randomReplaceProb: 0.3 },
    { continuesWord: new Uint8Array(1000), maskReplaceProb: 0.8 },
    { vocabSize: 0 },
  ]) {
    t.throws(() => maskTokens(tokens, { ...options, ...wrong }, seeds), argument, JSON.stringify(wrong))
  }
  t.notThrows(() => maskTokens(tokens, { ...options, maskReplaceProb: 0.9, randomReplaceProb: 0.1 }, seeds))
  t.throws(() => maskTokens(tokens, options, { ...seeds, rows: [0, 1] }), argument)
  t.throws(() => maskTokens(tokens, { ...options, mlmProb: 1 } as never, seeds), { code: 'ERR_UNKNOWN_OPTION' })
})

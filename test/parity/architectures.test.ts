// Every architecture against transformers: tiny models of every option that changes numbers. An architecture that the engine does not
// have is skipped; one that is in BUILT cannot be.
import test from 'ava'
import {
  BUILT,
  backward,
  byEngineNames,
  encoderSpec,
  type Fixture,
  fixtures,
  found,
  inUnits,
  MEAN,
  open,
  type Run,
  SPREAD,
  testsOf,
  under,
  values,
} from './architectures.js'
import { equal, report } from './report.js'
import { addon, distance, encode, globalNorm, maxDifference, norm, pick, worstCosine } from './support.js'

const SECTION = 'architectures'
const EMBEDDINGS = 1e-5
/** What a float64 engine may be off by, beside the rounding of the golden values to float32. */
const EXACT = 1e-10
/** Half of the last place of a float32, as a part of its value. */
const ROUNDING = 2 ** -24

test('the architectures that are built are in BUILT: their tests are not skipped', (t) => {
  t.deepEqual([...BUILT].sort(), found().sort())
})

type Gradients = ReadonlyMap<string, ArrayLike<number>>

/** How far a float64 result is off, beside what both sides lose when they are stored as float32. */
function exactDifference(found: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (found.length !== expected.length) throw new Error(`${found.length} numbers against ${expected.length}`)
  let worst = 0
  for (let i = 0; i < found.length; i++) {
    const difference = Math.abs(found[i]! - expected[i]!)
    worst = Math.max(worst, difference - 2 * ROUNDING * Math.abs(expected[i]!)) // NaN stays
  }
  return worst
}

/** `exactDifference` of the gradient that is off the most, as a part of the norm of all, and its name. */
function exactGradients(found: Gradients, expected: Gradients): [off: number, tensor: string] {
  const total = globalNorm(expected.values())
  let worst: [number, string] = [0, '']
  for (const [tensor, gradient] of expected) {
    const off = exactDifference(found.get(tensor)!, gradient) / total
    if (!(off <= worst[0])) worst = [off, tensor] // NaN too
  }
  return worst
}

for (const fixture of fixtures()) {
  const { architecture, config, variants, batch, covers } = fixture
  const titled = testsOf(fixture)
  const measured = (part: string, deviation: number, allowed: number, python?: number) =>
    report(SECTION, architecture, { part, deviation, allowed, ...(python !== undefined && { python }) })

  titled('the engine has the tensors of the checkpoint, and takes rows as long as transformers does', async (t) => {
    const encoder = new addon.Encoder(encoderSpec(fixture))
    const shapes = (all: Iterable<readonly [string, { shape: number[] }]>) =>
      Object.fromEntries([...all].map(([tensor, { shape }]) => [tensor, shape]).sort())
    const own = encoder.tensors().map((tensor) => [tensor.name, tensor] as const)
    const stored = [...fixture.weights].map(([tensor, golden]) => [tensor.slice('0.'.length), golden] as const)
    t.deepEqual(shapes(own), shapes(await byEngineNames(fixture, stored)))
    t.is(addon.describe(architecture, config).positions, fixture.positions)
    t.is(encoder.tokenDimension, values(fixture, 'tokens').length / tokenCount(fixture))
    await encoder.dispose()
  })

  titled(`embeddings of every length equal transformers' (${covers})`, async (t) => {
    const expected = values(fixture, 'embeddings')
    const single = await open(fixture)
    const difference = maxDifference(await encode(single, batch), expected)
    t.true(difference <= EMBEDDINGS, `float32 is off by ${difference}`)
    measured('embeddings', difference, EMBEDDINGS, fixture.python.embeddings)
    report('architecture-options', architecture, { part: covers, deviation: difference, allowed: EMBEDDINGS })

    const double = await open(fixture, { dtype: 'float64' })
    const exact = exactDifference(await encode(double, batch), expected)
    t.true(exact <= EXACT, `float64 is off by ${exact}`)
    measured('embeddings, float64', exact, EXACT)

    const half = await open(fixture, { dtype: 'bfloat16' })
    const cosine = worstCosine(await encode(half, batch), expected, half.embeddingDimension)
    t.true(cosine >= 0.999, `bfloat16: cosine ${cosine}`)
    measured('1 - cosine, bfloat16', 1 - cosine, 1e-3)
    await Promise.all([single.dispose(), double.dispose(), half.dispose()])
  })

  titled('token embeddings and pooler output', async (t) => {
    const encoder = await open(fixture)
    const tokens = await encode(encoder, pick(batch, fixture.tokenRows), 'token_embeddings')
    const difference = maxDifference(tokens, values(fixture, 'tokens'))
    t.true(difference <= EMBEDDINGS, `tokens are off by ${difference}`)
    measured('token embeddings', difference, EMBEDDINGS)
    if (fixture.pooler) {
      const off = maxDifference(await encode(encoder, batch, 'pooler_output'), values(fixture, 'pooler_output'))
      t.true(off <= EMBEDDINGS, `the pooler's output is off by ${off}`)
      measured('pooler output', off, EMBEDDINGS)
    } else {
      await t.throwsAsync(encode(encoder, batch, 'pooler_output'))
    }
    await encoder.dispose()
  })

  titled('a row alone equals the row in a batch', async (t) => {
    const encoder = await open(fixture)
    const together = await encode(encoder, batch)
    const width = encoder.embeddingDimension
    for (const row of fixture.lengths.keys()) {
      const alone = await encode(encoder, pick(batch, [row]))
      const difference = maxDifference(alone, together.subarray(row * width, (row + 1) * width))
      t.true(difference <= 2e-6, `row ${row} of ${fixture.lengths[row]} tokens is off by ${difference}`)
    }
    await encoder.dispose()
  })

  for (const [variant, other] of Object.entries(variants)) {
    titled(`config.json in other words (${variant}) gives the same bits`, async (t) => {
      t.notDeepEqual(other, config)
      const [first, second] = await Promise.all([open(fixture), open(fixture, { config: other })])
      t.deepEqual(await encode(second, batch), await encode(first, batch))
      t.is(addon.describe(architecture, other).positions, addon.describe(architecture, config).positions)
      equal(SECTION, architecture)
      await Promise.all([first.dispose(), second.dispose()])
    })
  }

  titled("every gradient equals PyTorch's", async (t) => {
    const spread = fixture.tensors.has('spread/d_embeddings') ? [{ prefix: 'spread/', modules: [SPREAD] }] : []
    for (const { prefix, modules } of [{ prefix: '', modules: [MEAN] }, ...spread]) {
      const given = inUnits(fixture.tensors.get(`${prefix}d_embeddings`)!.data)
      const named = await byEngineNames(fixture, under(fixture.tensors, `${prefix}grad/`))
      const expected = new Map([...named].map(([tensor, { data }]) => [tensor, data]))
      const single = await backward(fixture, given, { modules })
      t.true(maxDifference(single.embeddings, values(fixture, `${prefix}embeddings`)) <= EMBEDDINGS)
      t.deepEqual([...single.gradients.keys()].sort(), [...expected.keys()].sort(), 'the tensors that are trained')
      const share = largestShare(single.gradients, expected)
      t.true(share.part <= 1, `float32: ${share.part} of what is allowed, ${share.tensor}`)
      measured('gradient', 1e-4 * share.part, 1e-4, 1e-4 * fixture.python.gradients)

      const double = await backward(fixture, given, { modules, dtype: 'float64' })
      const [off, tensor] = exactGradients(double.gradients, expected)
      t.true(off <= EXACT, `float64: ${tensor} is off by ${off} of the norm of all`)
      measured('gradient, float64', off, EXACT)
    }
  })

  titled('recomputed layers, pieces of a batch and threads give the same gradients', async (t) => {
    const given = inUnits(fixture.tensors.get('d_embeddings')!.data)
    const named = await byEngineNames(fixture, under(fixture.tensors, 'grad/'))
    const expected = new Map([...named].map(([tensor, { data }]) => [tensor, data]))
    const ways: Record<string, Run> = {
      recomputed: { trainer: { activationCheckpointing: true } },
      'three rows at once': { step: { miniBatchRows: 3 } },
      'a hundred tokens at once': { step: { miniBatchTokens: 100 } },
      both: { trainer: { activationCheckpointing: true }, step: { miniBatchRows: 2 } },
    }
    const before = addon.runtime().threads
    for (const [way, run] of Object.entries(ways)) {
      const { part, tensor } = largestShare((await backward(fixture, given, run)).gradients, expected)
      t.true(part <= 1, `${way}: ${part} of what is allowed, ${tensor}`)
      measured(`gradient, ${way}`, 1e-4 * part, 1e-4)
    }
    const double = await backward(fixture, given, { ...ways.both, dtype: 'float64' })
    const [off, tensor] = exactGradients(double.gradients, expected)
    t.true(off <= EXACT, `both, float64: ${tensor} is off by ${off} of the norm of all`)
    try {
      for (const threads of [1, 2]) {
        addon.setThreads(threads)
        const { part, tensor } = largestShare((await backward(fixture, given)).gradients, expected)
        t.true(part <= 1, `${threads} threads: ${part} of what is allowed, ${tensor}`)
        measured(`gradient, ${threads} threads`, 1e-4 * part, 1e-4)
      }
    } finally {
      addon.setThreads(before)
    }
  })
}

/** Tokens of the rows whose token embeddings are kept. */
function tokenCount({ lengths, tokenRows }: Fixture): number {
  return tokenRows.reduce((sum, row) => sum + lengths[row]!, 0)
}

/** The gradient that is off the most, as a part of 1e-4 of its norm and 1e-7 of the norm of all. */
function largestShare(found: Gradients, expected: Gradients): { part: number; tensor: string } {
  const total = globalNorm(expected.values())
  let worst = { part: 0, tensor: '' }
  for (const [tensor, gradient] of expected) {
    const part = distance(found.get(tensor)!, gradient) / (1e-4 * norm(gradient) + 1e-7 * total)
    if (!(part <= worst.part)) worst = { part, tensor } // NaN too
  }
  return worst
}

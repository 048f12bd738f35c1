// Engines over the golden models of architectures, the tests that are skipped where there is none, and comparisons.
import test, { type ExecutionContext } from 'ava'
import type {
  DType,
  EncoderSpec,
  ModuleSpec,
  NativeEncoder,
  PackedBatch,
  StepOptions,
  TrainerSpec,
} from '../../lib/native/types.js'
import { byEngineNames, dataOf, encoderSpec, MEAN, open } from './architecture-encoders.js'
import { BUILT, FIXTURES, type Fixture, under } from './architectures.js'
import { addon, distance, globalNorm, gradients, norm, type Tensors, trainerSpec } from './support.js'

export { byEngineNames, dataOf, encoderSpec, MEAN, open, SPREAD } from './architecture-encoders.js'

/** Why the engine has no such encoder; undefined where it has, or where something else is wrong, which the tests tell. */
function refusalOf(spec: EncoderSpec): string | undefined {
  try {
    void new addon.Encoder(spec).dispose()
  } catch (error) {
    const { code, message } = error as Error & { code?: string }
    if (code === 'ERR_NOT_IMPLEMENTED') return message
  }
  return undefined
}

/** Whether the engine has an architecture at all. Options that it refuses are errors of their own. */
const hasArchitecture = (spec: EncoderSpec) =>
  !refusalOf(spec)?.startsWith(`Architecture ${spec.architecture} is not built`)

/** The architectures of the golden files that the engine does not refuse. */
export function found(): string[] {
  const first = new Map(FIXTURES.map((fixture) => [fixture.architecture, fixture]))
  return [...first].flatMap(([name, fixture]) => (hasArchitecture(encoderSpec(fixture)) ? [name] : []))
}

type TestBody = (t: ExecutionContext) => Promise<void>

/**
 * A test, or, for an architecture that is not built, a skipped one with a title that says so. Serial: some set the threads of the
 * engine, which all share.
 */
export function testOf(architecture: string, title: string, run: TestBody): void {
  if (BUILT.includes(architecture)) test.serial(`${architecture}, ${title}`, run)
  else test.serial.skip(`${architecture} is not built: ${title}`, run)
}

/** `testOf` for the tests of a fixture. What the engine may refuse, and does, has a test of the refusal in their place. */
export function testsOf(fixture: Fixture): (title: string, run: TestBody) => void {
  const { architecture, name, covers } = fixture
  const refusal = fixture.optional && BUILT.includes(architecture) ? refusalOf(encoderSpec(fixture)) : undefined
  if (refusal === undefined) return (title, run) => testOf(architecture, `${name}: ${title}`, run)
  testOf(architecture, `${name}: ${covers}, is refused by name`, async (t) => {
    t.throws(() => new addon.Encoder(encoderSpec(fixture)), { code: 'ERR_NOT_IMPLEMENTED' })
    t.false(refusal.startsWith('Architecture '), refusal)
  })
  return () => {}
}

// ------------------------------------------------------------------------------------------------------------- gradients

export interface Run {
  dtype?: DType
  modules?: ModuleSpec[]
  trainer?: Partial<TrainerSpec>
  step?: Partial<StepOptions>
}

/** The golden gradients, by the engine's names. */
export async function expectedGradients(fixture: Fixture, prefix = ''): Promise<Tensors> {
  const encoder = new addon.Encoder(encoderSpec(fixture))
  const found = byEngineNames(encoder, fixture.config, under(fixture.tensors, `${prefix}grad/`))
  await encoder.dispose()
  return dataOf(found)
}

/** The embeddings of a training pass, and the gradient of every trained tensor where that of the embeddings is given. */
export async function backward(
  fixture: Fixture,
  d_embeddings: Float32Array,
  { dtype, modules, trainer, step }: Run = {},
) {
  const encoder = await open(fixture, { dtype: dtype ?? 'float32', modules: modules ?? [MEAN] })
  const found = await gradientsOf(encoder, fixture.batch, d_embeddings, { trainer, step })
  await encoder.dispose()
  return found
}

export async function gradientsOf(
  encoder: NativeEncoder,
  batch: PackedBatch,
  d_embeddings: Float32Array,
  { trainer, step }: Pick<Run, 'trainer' | 'step'> = {},
) {
  const engine = new addon.Trainer(encoder, trainerSpec({ type: 'Custom' }, trainer))
  const embeddings = new Float32Array(d_embeddings.length).fill(Number.NaN)
  const options: StepOptions = { lr: 0, update: false, ...step }
  await engine.embed(batch, embeddings, options)
  await engine.apply({ loss: 0, embeddings: d_embeddings }, options)
  const found = await gradients(engine)
  await engine.dispose()
  return { embeddings, gradients: found }
}

// ----------------------------------------------------------------------------------------------------------- comparisons

type Gradients = ReadonlyMap<string, ArrayLike<number>>

/** Half of the last place of a float32, as a part of its value. */
const ROUNDING = 2 ** -24

/** How far a float64 result is off, beside what both sides lose when they are stored as float32. */
export function exactDifference(found: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (found.length !== expected.length) throw new Error(`${found.length} numbers against ${expected.length}`)
  let worst = 0
  for (let i = 0; i < found.length; i++) {
    const difference = Math.abs(found[i]! - expected[i]!)
    worst = Math.max(worst, difference - 2 * ROUNDING * Math.abs(expected[i]!)) // NaN stays
  }
  return worst
}

/** `exactDifference` of the gradient that is off the most, as a part of the norm of all, and its name. */
export function exactGradients(found: Gradients, expected: Gradients): [off: number, tensor: string] {
  const total = globalNorm(expected.values())
  let worst: [number, string] = [0, '']
  for (const [tensor, gradient] of expected) {
    const off = exactDifference(found.get(tensor)!, gradient) / total
    if (!(off <= worst[0])) worst = [off, tensor] // NaN too
  }
  return worst
}

/** The gradient that is off the most, as a part of 1e-4 of its norm and 1e-7 of the norm of all. */
export function largestShare(found: Gradients, expected: Gradients): { part: number; tensor: string } {
  const total = globalNorm(expected.values())
  let worst = { part: 0, tensor: '' }
  for (const [tensor, gradient] of expected) {
    const part = distance(found.get(tensor)!, gradient) / (1e-4 * norm(gradient) + 1e-7 * total)
    if (!(part <= worst.part)) worst = { part, tensor } // NaN too
  }
  return worst
}

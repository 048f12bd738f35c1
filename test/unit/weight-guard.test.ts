import { setImmediate } from 'node:timers/promises'
import test from 'ava'
import { SentenceEvaluator } from '../../lib/evaluation/sentence-evaluator.js'
import { guardOf, WeightGuard } from '../../lib/models/weight-guard.js'
import type { NativeEncoder } from '../../lib/native/types.js'

/** Jobs that take some turns of the event loop, and when they began and ended. */
function jobs(guard: WeightGuard) {
  const events: string[] = []
  const job = (name: string) => async () => {
    events.push(`${name} begins`)
    for (let turn = 0; turn < 3; turn++) await setImmediate()
    events.push(`${name} ends`)
    return name
  }
  return {
    events,
    job,
    change: (name: string) => guard.change(job(name)),
    hold: (name: string) => guard.hold(job(name)),
  }
}

test('a change begins at once, and beside another one', async (t) => {
  const { events, change } = jobs(new WeightGuard())
  const both = [change('a'), change('b')]
  t.deepEqual(events, ['a begins', 'b begins'])
  t.deepEqual(await Promise.all(both), ['a', 'b'])
})

test('a holder waits for the changes that run, and later ones wait for the holder in their order', async (t) => {
  const { events, change, hold } = jobs(new WeightGuard())
  const all = [change('a'), hold('h'), change('b'), change('c')]
  t.deepEqual(await Promise.all(all), ['a', 'h', 'b', 'c'])
  t.deepEqual(events.slice(0, 4), ['a begins', 'a ends', 'h begins', 'h ends'])
  t.deepEqual(events.slice(4, 6), ['b begins', 'c begins'])
})

test('holders are there at the same time, and one inside another; the last one lets changes through', async (t) => {
  const guard = new WeightGuard()
  const { events, job, change, hold } = jobs(guard)
  let waiting: Promise<string> | undefined
  const outer = guard.hold(async () => {
    waiting = change('a')
    await guard.hold(job('inner'))
    return job('rest')()
  })
  t.is(await hold('other'), 'other')
  t.false(events.includes('a begins'))
  t.is(await outer, 'rest')
  t.is(await waiting, 'a')
  t.deepEqual(events.slice(-4), ['rest begins', 'rest ends', 'a begins', 'a ends'])
})

test('a holder between the halves of a step, of which the second is the change', async (t) => {
  const guard = new WeightGuard()
  const { events, change, hold } = jobs(guard)
  // A step in two halves: what comes between is no change.
  await change('first half')
  await hold('save')
  await change('second half')
  t.deepEqual(
    events.filter((event) => event.endsWith('ends')),
    ['first half ends', 'save ends', 'second half ends'],
  )
})

test('errors go to those who began, and nobody stays outside', async (t) => {
  const guard = new WeightGuard()
  const { hold, change } = jobs(guard)
  const failed = guard.change(async () => {
    await setImmediate()
    throw new Error('a step')
  })
  const held = hold('h')
  await t.throwsAsync(failed, { message: 'a step' })
  t.is(await held, 'h')
  const broken = guard.hold(() => Promise.reject(new Error('a save')))
  const next = change('next')
  await t.throwsAsync(broken, { message: 'a save' })
  t.is(await next, 'next')
  await t.throwsAsync(
    guard.hold(() => {
      throw new Error('at once')
    }),
    { message: 'at once' },
  )
  const early = () => {
    throw new Error('no job')
  }
  let waiting: Promise<unknown> | undefined
  await guard.hold(async () => {
    waiting = guard.change(early)
    waiting.catch(() => {})
  })
  await t.throwsAsync(waiting!, { message: 'no job' })
  await t.throwsAsync(guard.change(early), { message: 'no job' })
  t.is(await change('last'), 'last')
})

test('every encoder has a guard of its own', (t) => {
  const [a, b] = [{} as NativeEncoder, {} as NativeEncoder]
  t.is(guardOf(a), guardOf(a))
  t.not(guardOf(a), guardOf(b))
})

test('an evaluator holds a model that can be held, however it is called', async (t) => {
  class Twice extends SentenceEvaluator<{ hold?: unknown }> {
    readonly #name = 'twice'
    async evaluate(_: { hold?: unknown }) {
      return { metrics: { [this.#name]: held }, primaryMetric: this.#name }
    }
  }
  let held = 0
  const model = {
    async hold<T>(work: () => Promise<T>): Promise<T> {
      t.is(this, model)
      held++
      try {
        return await work()
      } finally {
        held--
      }
    },
  }
  const evaluator = new Twice()
  t.deepEqual((await evaluator.evaluate(model)).metrics, { twice: 1 })
  t.deepEqual(await evaluator(model), { twice: 1 })
  t.deepEqual(await evaluator({}), { twice: 0 })
  t.is(held, 0)
})

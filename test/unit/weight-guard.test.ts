import { setImmediate, setTimeout } from 'node:timers/promises'
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

/** A promise, and what fulfils it. */
function gate() {
  let open = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open: () => open() }
}

/** Waits until `condition` holds, 20 s at most. */
async function until(condition: () => boolean): Promise<boolean> {
  for (const start = performance.now(); performance.now() - start < 20_000; await setImmediate()) {
    if (condition()) return true
  }
  return false
}

for (const [name, ms] of Object.entries({ short: 10, long: 300 })) {
  test(`changes get turns beside ${name} holders that always overlap`, async (t) => {
    const guard = new WeightGuard()
    let changes = 0
    let served = 0
    let ended = false
    const serve = async () => {
      while (!ended) {
        await guard.hold(() => setTimeout(ms))
        served++
      }
    }
    const first = serve()
    await setTimeout(ms / 2)
    const services = [first, serve()]
    const training = (async () => {
      for (; changes < 3; changes++) await guard.change(async () => {})
    })()
    t.true(await until(() => changes === 3))
    ended = true
    await Promise.all([...services, training])
    t.true(served > 3)
  })
}

test('who is inside a holder enters at once while changes wait, also of another model', async (t) => {
  const [guard, other] = [new WeightGuard(), new WeightGuard()]
  const changes: Promise<unknown>[] = []
  const inside = () => guard.hold(async () => 'inside')
  const end = gate()
  const beside = other.hold(() => end.opened)
  await setImmediate()
  changes.push(other.change(async () => {}))
  await setTimeout(1000)
  const found = await guard.hold(async () => {
    changes.push(guard.change(async () => {}))
    await setTimeout(1000)
    const calls = [inside(), other.hold(inside), guard.hold(() => other.hold(inside))]
    let entered = 0
    for (const call of calls) call.then(() => entered++)
    for (let turn = 0; turn < 3; turn++) await setImmediate()
    return entered
  })
  t.is(found, 3)
  end.open()
  await beside
  await Promise.all(changes)
})

test('a holder that another one waits for in a way nobody sees is late and goes on', async (t) => {
  const guard = new WeightGuard()
  const asked = gate()
  const worker = asked.opened.then(() => guard.hold(async () => 'saved'))
  let change: Promise<string> | undefined
  const found = guard.hold(async () => {
    change = guard.change(async () => 'changed')
    await setTimeout(5)
    asked.open()
    return worker
  })
  t.is(await Promise.race([found, setTimeout(20_000, 'stands still')]), 'saved')
  t.is(await change, 'changed')
})

test('what goes on after the holder that began it has ended is inside nobody', async (t) => {
  const guard = new WeightGuard()
  const { events, job } = jobs(guard)
  const end = gate()
  const waiting = gate()
  let later: Promise<string> | undefined
  await guard.hold(async () => {
    later = waiting.opened.then(() => guard.hold(job('later')))
  })
  const beside = guard.hold(() => end.opened)
  await setImmediate()
  const change = guard.change(job('change'))
  await setTimeout(1000)
  waiting.open()
  await setImmediate()
  t.deepEqual(events, [])
  end.open()
  await Promise.all([beside, change, later])
  t.deepEqual(events, ['change begins', 'change ends', 'later begins', 'later ends'])
})

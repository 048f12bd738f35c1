import test from 'ava'
import { Timings } from '../../lib/training/reporting/timings.js'
import { prepare, recorder } from '../helpers/fake-trainer.js'

const REPORT = { times: { forward: 100, backward: 200, optimizer: 50 }, tokens: 1000 }

/** A clock that stands still but for what `spend` lets pass. */
function clock() {
  let now = 0
  return {
    now: () => now,
    async spend(milliseconds: number): Promise<void> {
      await Promise.resolve()
      now += milliseconds
    },
  }
}

test('data, tokenising and waiting are told apart; the engine adds its own', async (t) => {
  const { now, spend } = clock()
  const timings = new Timings(now)
  async function* batches() {
    for (let i = 0; i < 3; i++) {
      await spend(10)
      await timings.tokenizing(spend(30))
      yield i
    }
  }
  timings.resume()
  const seen: number[] = []
  for await (const batch of timings.waiting(timings.making(batches()))) {
    seen.push(batch)
    timings.add(REPORT)
    await spend(500)
  }
  t.deepEqual(seen, [0, 1, 2])
  t.deepEqual(timings.take(), {
    time_data: 0.03,
    time_tokenize: 0.09,
    time_forward: 0.3,
    time_backward: 0.6,
    time_optimizer: 0.15,
    time_wait: 0.12,
    tokens_per_second: 1851.852, // 3000 tokens in 3 * (500 + 40) ms
  })
  t.deepEqual(Object.values(timings.take()), [0, 0, 0, 0, 0, 0, 0])
})

test('several processes: waiting for sums, and sums beside the backward pass', (t) => {
  const timings = new Timings(() => 0)
  timings.add({ ...REPORT, communication: 20, hidden: 70 })
  timings.add({ ...REPORT, communication: 10, hidden: 30 })
  t.like(timings.take(), { time_communication: 0.03, time_hidden: 0.1 })
  t.like(timings.take(), { time_communication: 0, time_hidden: 0 })
})

test('time without steps does not slow the tokens down', async (t) => {
  const { now, spend } = clock()
  const timings = new Timings(now)
  timings.resume()
  timings.resume()
  await spend(1000)
  timings.add(REPORT)
  timings.suspend()
  await spend(9000)
  timings.suspend()
  t.is(timings.take().tokens_per_second, 1000)
  timings.resume()
  await spend(500)
  timings.add(REPORT)
  t.is(timings.take().tokens_per_second, 2000)
  // Still running: the next record counts from here.
  await spend(250)
  timings.add(REPORT)
  t.is(timings.take().tokens_per_second, 4000)
})

test('leaving the loop ends what makes the batches, and an error counts its time', async (t) => {
  const { now, spend } = clock()
  const timings = new Timings(now)
  let ended = false
  async function* batches() {
    try {
      for (;;) {
        await spend(10)
        yield 0
      }
    } finally {
      ended = true
    }
  }
  for await (const _ of timings.waiting(timings.making(batches()))) break
  t.true(ended)
  const failing = spend(20).then(() => {
    throw new Error('no worker')
  })
  await t.throwsAsync(timings.tokenizing(failing), { message: 'no worker' })
  t.like(timings.take(), { time_data: 0, time_tokenize: 0.02, time_wait: 0.01 })
})

test('a run logs them on demand alone', async (t) => {
  const [plain, timed] = [recorder(), recorder()]
  await prepare({ loggingSteps: 2 }, { callbacks: [plain] }).train()
  await prepare({ loggingSteps: 2 }, { callbacks: [timed], parts: { timings: new Timings() } }).train()
  t.false('time_wait' in plain.records[0]!)
  // The engine of the tests says 1, 2 and 1 ms in a report.
  t.like(timed.records[0], { time_forward: 0.001, time_backward: 0.002, time_optimizer: 0.001 })
  t.is(Object.keys(timed.records[0]!).at(-1), 'epoch')
})

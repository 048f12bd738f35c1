import { expect } from '../judge.js'
import type { Target } from './target.js'

const faults: Record<string, () => unknown> = {
  crash: () => process.kill(process.pid, 'SIGSEGV'),
  loop: () => {
    for (;;);
  },
  wait: () => new Promise(() => setInterval(() => {}, 1000)),
  raw: () => (undefined as unknown as { x: number }).x,
  bad: () => expect(false, 'a fact'),
  late: () => void Promise.reject(new Error('nobody waits')),
  memory: () => Buffer.alloc(400 * 2 ** 20, 1),
  prototype: () => Object.assign(Object.prototype, { polluted: 1 }),
}

/** Not among those that `all` means: has every fault that the fuzzer should find. */
export const harness: Target = {
  warm: { base: 'none', edits: [] },
  make: (random) => ({
    base: 'none',
    edits: [],
    plan: { noise: random.int(10), fault: random.oneIn(5) ? 'raw' : 'none' },
  }),
  async run({ plan }) {
    await faults[(plan as { fault?: string })?.fault ?? 'none']?.()
  },
}

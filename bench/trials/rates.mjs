// What the machine can do, with the threads that the engine takes: matrix products, memory, LibTorch's elementwise operators.
import { loadAddon } from '../../dist/lib/native/load.js'
import { engineFacts, say, trialOptions } from './trial.mjs'

const { dtypes, seconds, threads } = trialOptions()
if (threads > 0) loadAddon().setThreads(threads)
say({ ...(await loadAddon().measureMachine(dtypes.split(','), seconds)), ...(await engineFacts()) })

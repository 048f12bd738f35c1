import test from 'ava'
import { chooseDevice } from '../../lib/models/load-options.js'

const withGpus = (count: number) => ({
  devices: [...Array.from({ length: count }, (_, i) => `cuda:${i}`), 'cpu'].map((name) => ({ name, description: '' })),
})

test('a device that is named is taken as it is', (t) => {
  for (const device of ['cpu', 'cuda:0', 'cuda:7']) t.is(chooseDevice(device, withGpus(2), { LOCAL_RANK: '1' }), device)
  t.is(chooseDevice(undefined, withGpus(2), {}), 'cpu')
  t.is(chooseDevice(undefined, withGpus(2), { SENTENCE_TORCH_DEVICE: 'cuda:1' }), 'cuda:1')
  t.is(chooseDevice('cpu', withGpus(2), { SENTENCE_TORCH_DEVICE: 'cuda:1' }), 'cpu')
  t.throws(() => chooseDevice('mps', withGpus(0), {}), { code: 'ERR_NOT_IMPLEMENTED' })
  t.throws(() => chooseDevice('gpu', withGpus(0), {}), { code: 'ERR_INVALID_ARGUMENT' })
})

test('cuda and auto without a launcher', (t) => {
  t.is(chooseDevice('cuda', withGpus(2), {}), 'cuda:0')
  t.is(chooseDevice('auto', withGpus(2), {}), 'cuda:0')
  t.is(chooseDevice('auto', withGpus(0), { LOCAL_RANK: '1' }), 'cpu')
  // The engine says what is missing.
  t.is(chooseDevice('cuda', withGpus(0), { LOCAL_RANK: '1' }), 'cuda')
})

test('of several processes on a machine each takes a GPU of its own', (t) => {
  for (const name of ['LOCAL_RANK', 'OMPI_COMM_WORLD_LOCAL_RANK', 'MPI_LOCALRANKID']) {
    t.is(chooseDevice('cuda', withGpus(4), { [name]: '2' }), 'cuda:2', name)
    t.is(chooseDevice('auto', withGpus(4), { [name]: '3' }), 'cuda:3', name)
  }
  // Also the script of a job has a SLURM_LOCALID, but only what srun has started is a step.
  t.is(chooseDevice('cuda', withGpus(4), { SLURM_LOCALID: '2', SLURM_STEP_ID: '0' }), 'cuda:2')
  t.is(chooseDevice('cuda', withGpus(4), { SLURM_LOCALID: '2' }), 'cuda:0')
  // torchrun inside of a job of Slurm.
  t.is(chooseDevice('cuda', withGpus(4), { LOCAL_RANK: '1', SLURM_LOCALID: '2', SLURM_STEP_ID: '0' }), 'cuda:1')
  // The launcher has shown this process one GPU.
  t.is(chooseDevice('cuda', withGpus(1), { LOCAL_RANK: '3' }), 'cuda:0')
  t.is(chooseDevice('cuda', withGpus(4), { LOCAL_RANK: '2', SENTENCE_TORCH_DISTRIBUTED: '0' }), 'cuda:0')
})

test('more processes than GPUs are refused', (t) => {
  for (const value of ['2', 'x']) {
    t.throws(() => chooseDevice('cuda', withGpus(2), { LOCAL_RANK: value }), {
      code: 'ERR_UNSUPPORTED',
      message: `LOCAL_RANK is ${value}, but this process sees 2 GPUs: start as many processes as there are, or name one (device: 'cuda:0')`,
    })
  }
})

import test from 'ava'
import { readLaunch } from '../../lib/training/distributed/launch.js'

const meets = { MASTER_ADDR: 'node1', MASTER_PORT: '1234' }
const plain = {
  ...{ host: 'node1', port: 1234, hosted: false, prefix: 'sentence-torch/0' },
  ...{ networkInterface: undefined, joinSeconds: 25 },
}

test('the variables of each launcher', (t) => {
  t.deepEqual(readLaunch({ RANK: '1', WORLD_SIZE: '4', ...meets }), { rank: 1, size: 4, ...plain })
  const agent = { TORCHELASTIC_USE_AGENT_STORE: 'True', TORCHELASTIC_RESTART_COUNT: '2', GLOO_SOCKET_IFNAME: 'eth1' }
  t.deepEqual(readLaunch({ RANK: '0', WORLD_SIZE: '2', ...meets, ...agent }), {
    ...{ rank: 0, size: 2, ...plain, hosted: true, prefix: 'sentence-torch/2', networkInterface: 'eth1' },
  })
  const slurm = { SLURM_STEP_ID: '0', SLURM_PROCID: '3', SLURM_NTASKS: '8', SLURM_JOB_ID: '40123' }
  t.deepEqual(readLaunch({ ...slurm, SLURM_JOB_NODELIST: 'gpu[07-09,12],cpu1' }), {
    ...{ rank: 3, size: 8, ...plain, host: 'gpu07', port: 20123 },
  })
  t.like(readLaunch({ ...slurm, SLURM_STEP_NUM_TASKS: '4', SLURM_JOB_NODELIST: 'cpu1,cpu2' }), {
    size: 4,
    host: 'cpu1',
  })
  t.like(readLaunch({ ...slurm, SLURM_JOB_NODELIST: 'cpu1', ...meets }), { host: 'node1', port: 1234 })
  const mpi = { OMPI_COMM_WORLD_RANK: '1', OMPI_COMM_WORLD_SIZE: '2' }
  t.deepEqual(readLaunch({ ...mpi, ...meets }), { rank: 1, size: 2, ...plain })
  t.like(readLaunch({ ...mpi, OMPI_COMM_WORLD_LOCAL_SIZE: '2' }), { host: '127.0.0.1', port: 29500 })
  t.like(readLaunch({ PMI_RANK: '1', PMI_SIZE: '3', ...meets }), { rank: 1, size: 3 })
  t.like(readLaunch({ ...mpi, RANK: '0', WORLD_SIZE: '6', ...meets }), { rank: 0, size: 6 })
})

test('a process alone', (t) => {
  for (const env of [
    {},
    { WORLD_SIZE: '2' },
    { RANK: '0', WORLD_SIZE: '1' },
    { SLURM_PROCID: '0', SLURM_NTASKS: '8', SLURM_JOB_NODELIST: 'cpu1' },
    { RANK: '0', WORLD_SIZE: '2', SENTENCE_TORCH_DISTRIBUTED: '0' },
  ]) {
    t.is(readLaunch(env), undefined, JSON.stringify(env))
  }
})

test('variables that do not fit', (t) => {
  const error = (env: Record<string, string>, message: RegExp) =>
    t.throws(() => readLaunch(env), { code: 'ERR_DISTRIBUTED', message }, JSON.stringify(env))
  error({ RANK: '0', WORLD_SIZE: '2', MASTER_PORT: '1' }, /RANK and WORLD_SIZE of torchrun .* 2 processes.*MASTER_ADDR/)
  error({ RANK: '0', WORLD_SIZE: '2', MASTER_ADDR: 'a', MASTER_PORT: '70000' }, /a port up to 65535/)
  error({ RANK: '-1', WORLD_SIZE: '2', ...meets }, /whole number of at least 0 in the variable RANK but found "-1"/)
  error({ RANK: '0', WORLD_SIZE: 'two', ...meets }, /whole number of at least 1 in the variable WORLD_SIZE/)
  error({ OMPI_COMM_WORLD_RANK: '1', OMPI_COMM_WORLD_SIZE: '2' }, /of Open MPI .*MASTER_ADDR and MASTER_PORT/)
})

// Each test file runs in its own process: a crash of native code is reported as that file's failure.
export default {
  files: ['dist/test/**/*.test.js'],
  workerThreads: false,
  concurrency: 2,
  timeout: '10m',
  // Threads that wait for work sleep: where they spin, two processes on two cores take the processor from each other.
  environmentVariables: { OMP_WAIT_POLICY: 'PASSIVE' },
}

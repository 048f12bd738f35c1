// Each test file runs in its own process: a crash of native code is reported as that file's failure.
export default {
  files: ['dist/test/**/*.test.js'],
  workerThreads: false,
  concurrency: 2,
  timeout: '10m',
}

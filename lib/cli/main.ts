#!/usr/bin/env node
import { run } from './run.js'

process.stdout.on('error', ({ code, message }: NodeJS.ErrnoException) => {
  // A pipe that is closed early (`| head`) is no failure.
  if (code === 'EPIPE') process.exit(0)
  process.stderr.write(`sentence-torch: stdout cannot be written: ${message}\n`)
  process.exit(1)
})
process.exitCode = await run(process.argv.slice(2))

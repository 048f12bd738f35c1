import { run } from '../../lib/cli/run.js'

/** Runs the program in this process. @param stdin what `-` reads */
export async function callProgram(
  args: readonly string[],
  stdin = '',
  signal: AbortSignal = new AbortController().signal,
) {
  let [out, err] = ['', '']
  const code = await run(args, {
    out: (text) => {
      out += text
    },
    err: (text) => {
      err += text
    },
    stdin: (async function* () {
      yield Buffer.from(stdin)
    })(),
    signal,
  })
  return { code, out, err }
}

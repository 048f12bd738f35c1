import type { Command } from './command.js'

export const doctor: Command = {
  name: 'doctor',
  summary: 'shows what this machine has, which addon and LibTorch were found and whether they load',
  options: { json: { type: 'boolean', help: 'as one JSON object' } },
  async run({ options }) {
    const { gather, print } = await import('#doctor')
    const facts = await gather()
    if (options.json) process.stdout.write(`${JSON.stringify(facts, null, 2)}\n`)
    else print(facts)
    return 0
  },
}

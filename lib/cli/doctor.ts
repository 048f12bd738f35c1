import type { Command } from './command.js'

export const doctor: Command = {
  name: 'doctor',
  summary: 'shows what this machine has, which addon and LibTorch were found and whether they load',
  options: { json: { type: 'boolean', help: 'as one JSON object' } },
  examples: [
    ['npx sentence-torch doctor', 'what was found, for people'],
    ['npx sentence-torch doctor --json', 'the same for programs'],
  ],
  async run({ options }, { out }) {
    const { gather, print } = await import('#doctor')
    const facts = await gather()
    if (options.json) out(`${JSON.stringify(facts, null, 2)}\n`)
    else print(facts)
    return 0
  },
}

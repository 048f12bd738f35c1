// The program that comes with the package, as npx starts it.
import { installed } from '../installed.mjs'

export const cases = [
  {
    name: 'doctor',
    what: 'npx sentence-torch doctor: finds the installed addon and LibTorch',
    async run(context) {
      const { app, node, run } = await installed(context)
      const output = await run(node, ['node_modules/.bin/sentence-torch', 'doctor', '--json'])
      const { addon } = JSON.parse(output)
      if (!JSON.stringify(addon).includes(app)) throw new Error(`expected an addon below ${app} but found:\n${output}`)
      return { note: 'names the addon of the platform package' }
    },
  },
]

// node examples/corpus/make-texts.mjs [texts.jsonl] [count]
//
// Writes texts of made-up parcels as lines of JSON, the same for the same count.
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'

const [file = 'texts.jsonl', count = '1000000'] = process.argv.slice(2)

const things = [
  'kettle',
  'lamp',
  'bicycle pump',
  'violin',
  'chess set',
  'raincoat',
  'toaster',
  'telescope',
  'rug',
  'drill',
]
const colours = ['blue', 'red', 'green', 'black', 'white', 'yellow', 'silver', 'brown']
const places = [
  'Lisbon',
  'Oslo',
  'Cork',
  'Turin',
  'Graz',
  'Ghent',
  'Split',
  'Bergen',
  'Porto',
  'Leeds',
  'Lyon',
  'Malmö',
]
const events = [
  'was sent to',
  'arrived in',
  'was lost on the way to',
  'came back from',
  'is waiting in',
  'was repaired in',
]
const notes = ['The box was dry.', 'A neighbour took it.', 'It had to be signed for.', 'Nobody was at home.', '']

// A linear congruential generator is random enough for texts.
let state = 1
const draw = (list) => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0
  return list[Math.floor((state / 2 ** 32) * list.length)]
}

const out = createWriteStream(file)
for (let id = 0; id < Number(count); id++) {
  const text = `Parcel ${id}: a ${draw(colours)} ${draw(things)} ${draw(events)} ${draw(places)}. ${draw(notes)}`.trim()
  if (!out.write(`${JSON.stringify({ id, text })}\n`)) await once(out, 'drain')
}
out.end()
await once(out, 'finish')

import test from 'ava'
import { Random } from '../../lib/data/random.js'
import { jsonRow } from '../../lib/serve/numbers.js'

test('any float32 is the same after JSON', (t) => {
  const random = new Random(1)
  const bits = Uint32Array.from({ length: 20_000 }, () => random.nextUint32())
  const values = new Float32Array(bits.buffer).filter(Number.isFinite)
  const edges = Float32Array.of(0, -0, 1, -1, 2 ** -149, 2 ** -126, 3.4028235e38, -3.4028235e38, 16_777_217, 0.1)
  for (const row of [values, edges]) {
    const read = Float32Array.from(JSON.parse(jsonRow(row)) as number[])
    t.deepEqual(
      [...read],
      [...row].map((value) => (value === 0 ? 0 : value)),
    )
  }
})

test('what JSON has no number for is null', (t) => {
  t.is(
    jsonRow(Float32Array.of(Number.NaN, Number.POSITIVE_INFINITY, 0.5, Number.NEGATIVE_INFINITY)),
    '[null,null,0.5,null]',
  )
})

test('numbers of an embedding have few decimals', (t) => {
  t.is(jsonRow(Float32Array.of(0.5, -0.25, 0, 0.013842, -1.5, 100.25)), '[0.5,-0.25,0,0.013842,-1.5,100.25]')
  const random = new Random(2)
  const row = Float32Array.from({ length: 10_000 }, () => (random.nextUint32() / 2 ** 32 - 0.5) / 5)
  t.true(jsonRow(row).length < 10_000 * 13)
})

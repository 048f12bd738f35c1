import test from 'ava'
import { keepFloats } from '../../lib/models/float-literals.js'
import { toJson } from '../../lib/models/json.js'

const roundTrip = (text: string) => toJson({ ...keepFloats(JSON.parse(text), text) }, 0).trim()

test('whole numbers that are written with a fraction keep it', (t) => {
  for (const text of [
    '{"a":0.0,"b":0,"c":1.5,"d":"0.0","e":-3.0}',
    '{"rope_parameters":{"rope_theta":10000.0,"rope_type":"default"},"sizes":[1,2.0,[3.0,4]],"x":{"y":[{"z":5.0}]}}',
    '{"quote \\" and : {":1.0,"[":2,"\\u0061":3.0}'.replace('\\u0061', 'a'),
    '{"a":true,"b":null,"c":[],"d":{},"e":1.0}',
  ]) {
    t.is(roundTrip(text), text)
  }
  t.is(roundTrip('{"a":1e3,"b":1e-12}'), '{"a":1000.0,"b":1e-12}')
})

test('a value that was changed, or is new, is written as it is now', (t) => {
  const text = '{"dtype":"float16","dropout":0.0,"count":2.0}'
  const changed = { ...keepFloats(JSON.parse(text), text), dtype: 'float32', dropout: 0.25, other: 1 }
  t.is(toJson(changed, 0), '{"dtype":"float32","dropout":0.25,"count":2.0,"other":1}\n')
})

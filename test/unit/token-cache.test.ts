import { execFileSync } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import test, { type ExecutionContext } from 'ava'
import fc from 'fast-check'
import { Random } from '../../lib/data/random.js'
import { TokenCache } from '../../lib/data/token-cache.js'
import { newId } from '../../lib/io/temporary.js'

async function temporary(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'token-cache-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  return folder
}

const texts = Array.from({ length: 500 }, (_, i) => `text ${i}`)
const options = { columnTexts: texts, tokenizerKey: 'tokenizer', maxLength: 16 }

/** Ids of 2 and of 4 bytes, rows of none to 16 tokens. */
const idsOf = (row: number) =>
  Int32Array.from({ length: row % 17 }, (_, i) => (row % 3 === 0 ? 60_000 : 65_530) + row * 7 + i)

async function filled(folder: string, rows = texts.map((_, row) => row)): Promise<TokenCache> {
  const cache = await TokenCache.open(folder, options)
  for (const row of rows) await cache.put(row, idsOf(row))
  return cache
}

test('rows can be read while they are written, and by later runs', async (t) => {
  const folder = await temporary(t)
  const order = [...new Random(1).permutation(500)]
  const cache = await TokenCache.open(folder, options)
  t.is(cache.get(3), undefined)
  for (const row of order) {
    await cache.put(row, idsOf(row))
    t.deepEqual(cache.get(row), idsOf(row))
  }
  t.true(cache.isComplete)
  await cache.finish()
  const again = await TokenCache.open(folder, options)
  t.true(again.isComplete)
  for (const one of [cache, again]) {
    for (const row of order) t.deepEqual(one.get(row), idsOf(row))
    t.deepEqual(await one.read([7, 0, 499]), [idsOf(7), idsOf(0), idsOf(499)])
    t.is(one.get(500), undefined)
    t.is(one.get(-1), undefined)
  }
  await Promise.all([cache.close(), again.close()])
  t.is(again.get(3), undefined)
  t.is((await readdir(folder)).length, 1)
})

test('without finish the file stays as it was', async (t) => {
  const folder = await temporary(t)
  await (await filled(folder, [1, 2])).close()
  t.deepEqual(await readdir(folder), [])
  const cache = await filled(folder, [1, 2])
  await cache.finish()
  await cache.put(3, idsOf(3))
  await cache.close()
  const again = await TokenCache.open(folder, options)
  t.is(again.known, 2)
  t.is(again.get(3), undefined)
  t.deepEqual(again.get(2), idsOf(2))
  await again.close()
})

test('rows are added to what an earlier run left', async (t) => {
  const folder = await temporary(t)
  for (const rows of [[4, 5, 6], [100, 7], [499]]) {
    const cache = await filled(folder, rows)
    await cache.finish()
    await cache.close()
  }
  const again = await TokenCache.open(folder, options)
  t.is(again.known, 6)
  for (const row of [4, 5, 6, 100, 7, 499]) t.deepEqual(again.get(row), idsOf(row))
  await again.close()
})

test('other texts, another tokenizer, another length: another cache', async (t) => {
  const folder = await temporary(t)
  const cache = await filled(folder)
  await cache.finish()
  await cache.close()
  const swapped = [texts[1]!, texts[0]!, ...texts.slice(2)]
  const moved = ['text', ' 0text 1', ...texts.slice(2)]
  for (const change of [
    { columnTexts: swapped },
    { columnTexts: moved },
    { columnTexts: texts.slice(1) },
    { tokenizerKey: 'other' },
    { maxLength: 17 },
  ]) {
    const other = await TokenCache.open(folder, { ...options, ...change })
    t.is(other.known, 0, JSON.stringify(Object.keys(change)))
    await other.close()
  }
  const same = await TokenCache.open(folder, options)
  t.true(same.isComplete)
  await same.close()
})

test('damage is found wherever it is, and mended', async (t) => {
  const folder = await temporary(t)
  const cache = await filled(folder)
  await cache.finish()
  await cache.close()
  const [name] = await readdir(folder)
  const path = join(folder, name!)
  const whole = await readFile(path)
  const check = async () => {
    const opened = await TokenCache.open(folder, options)
    let wrong = 0
    for (let row = 0; row < texts.length; row++) {
      const ids = opened.get(row)
      if (ids === undefined) wrong++
      else t.deepEqual(ids, idsOf(row))
    }
    return { opened, wrong }
  }
  await fc.assert(
    fc.asyncProperty(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), async (at, bits) => {
      const damaged = Buffer.from(whole)
      damaged[at]! ^= bits
      await writeFile(path, damaged)
      const { opened, wrong } = await check()
      await opened.close()
      t.true(wrong > 0, `byte ${at}`)
    }),
    { numRuns: 40 },
  )
  await writeFile(path, 'something else')
  t.is((await check()).wrong, 500)
  await writeFile(path, whole)
  await truncate(path, whole.length - 1)
  t.is((await check()).wrong, 500)
  const damaged = Buffer.from(whole)
  damaged[100]! ^= 1
  await writeFile(path, damaged)
  const { opened, wrong } = await check()
  t.is(wrong, 1, 'a token of one row')
  for (let row = 0; row < texts.length; row++) if (!opened.get(row)) await opened.put(row, idsOf(row))
  await opened.finish()
  await opened.close()
  t.is((await check()).wrong, 0)
})

test('what a killed process left is removed, what a living one writes stays', async (t) => {
  const folder = await temporary(t)
  const name = (id: string) => `abc.tokens.${id}.tmp`
  const own = newId()
  const gone = own.replace(/-\d+-/, `-${2 ** 22 + 1}-`)
  const elsewhere = own.replace(/^.{8}/, '00000000')
  for (const id of [own, gone, elsewhere]) await writeFile(join(folder, name(id)), 'x')
  await writeFile(join(folder, 'abc.tokens'), 'x')
  await (await TokenCache.open(folder, options)).close()
  t.deepEqual((await readdir(folder)).sort(), ['abc.tokens', name(own), name(elsewhere)].sort())
})

test('a disk that fails ends the cache, not the run', async (t) => {
  const folder = await temporary(t)
  const cache = await TokenCache.open(folder, options)
  const warned = new Promise<Error>((resolve) => process.once('warning', resolve))
  await rm(folder, { recursive: true })
  await cache.put(1, idsOf(1))
  await cache.finish()
  t.regex((await warned).message, /token cache .* cannot be written \(ENOENT/)
  t.is(cache.get(1), undefined)
  await cache.put(2, idsOf(2))
  t.is(cache.get(2), undefined)
  await cache.close()
})

test('large rows are written while others are put, in memory only as much as waits', async (t) => {
  const folder = await temporary(t)
  const columnTexts = Array.from({ length: 3000 }, (_, i) => `${i}`)
  const cache = await TokenCache.open(folder, { ...options, columnTexts })
  const ids = (row: number) => Int32Array.from({ length: 1000 }, (_, i) => row * 100 + i)
  await Promise.all(columnTexts.map((_, row) => cache.put(row, ids(row))))
  t.deepEqual(await cache.read([0, 1500, 2999]), [ids(0), ids(1500), ids(2999)])
  await cache.finish()
  await cache.close()
  const again = await TokenCache.open(folder, { ...options, columnTexts })
  t.true(again.isComplete)
  for (let row = 0; row < 3000; row += 7) t.deepEqual(again.get(row), ids(row))
  await again.close()
})

test('wrong arguments are refused', async (t) => {
  const folder = await temporary(t)
  const argument = { code: 'ERR_INVALID_ARGUMENT' }
  await t.throwsAsync(TokenCache.open(folder, { ...options, maxLength: 0 }), argument)
  await t.throwsAsync(TokenCache.open(folder, { ...options, tokenizerKey: 3 as never }), argument)
  await t.throwsAsync(TokenCache.open(folder, { ...options, maxlength: 3 } as never), { code: 'ERR_UNKNOWN_OPTION' })
  const cache = await TokenCache.open(folder, options)
  await t.throwsAsync(cache.put(500, idsOf(0)), argument)
  await cache.close()
})

test('a file whose checksums are right but whose places are not is begun anew', async (t) => {
  const folder = await temporary(t)
  const cache = await filled(folder)
  await cache.finish()
  await cache.close()
  const path = join(folder, (await readdir(folder))[0]!)
  const bytes = await readFile(path)
  const index = bytes.readDoubleLE(48)
  const forged = async (change: (bytes: Buffer) => void) => {
    const changed = Buffer.from(bytes)
    change(changed)
    changed.writeUInt32LE(crc32(changed.subarray(index)), 56)
    changed.writeUInt32LE(crc32(changed.subarray(0, 60)), 60)
    await writeFile(path, changed)
    const opened = await TokenCache.open(folder, options)
    const found = [opened.known, opened.get(3), (await opened.read([3]))[0]]
    await opened.close()
    return found
  }
  t.deepEqual(await forged(() => {}), [500, idsOf(3), idsOf(3)])
  const lost = [0, undefined, undefined]
  for (const place of [-1, 0.5, Number.NaN, 1e300, Number.POSITIVE_INFINITY, 2 ** 52, bytes.length, 3]) {
    t.deepEqual(await forged((changed) => changed.writeDoubleLE(place, index + 3 * 8)), lost, `place ${place}`)
  }
  for (const count of [0xfffffffe, 0x7fffffff, 0x90000000, 100_000]) {
    t.deepEqual(
      await forged((changed) => changed.writeUInt32LE(count, index + 500 * 8 + 3 * 4)),
      lost,
      `count ${count}`,
    )
  }
  for (const end of [Number.NaN, -8, 1e300, 2 ** 60, bytes.length]) {
    t.deepEqual(await forged((changed) => changed.writeDoubleLE(end, 48)), lost, `end ${end}`)
  }
})

test('a folder or a pipe in place of the file, and a folder that cannot be made', async (t) => {
  const folder = await temporary(t)
  const cache = await filled(folder)
  await cache.finish()
  await cache.close()
  const name = (await readdir(folder))[0]!
  await rm(join(folder, name))
  if (process.platform !== 'win32') execFileSync('mkfifo', [join(folder, name)])
  const again = await TokenCache.open(folder, options)
  t.is(again.known, 0)
  await again.close()
  await writeFile(join(folder, 'file'), '')
  await t.throwsAsync(() => TokenCache.open(join(folder, 'file', 'x'), options), {
    code: 'ERR_FILE_SYSTEM',
    message: /ENOTDIR/,
  })
})

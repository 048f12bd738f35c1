// What the comment of every loss says is whole and true: its options and defaults, and an example that runs.
import test from 'ava'
import * as crossEncoderLosses from '../../lib/losses/cross-encoder/index.js'
import * as losses from '../../lib/losses/index.js'
import { checkData } from '../../lib/training/batches/check-data.js'
import { checkPairData } from '../../lib/training/batches/check-pair-data.js'
import { commentsIn } from '../docs/comments.js'
import { lossFiles, runExample } from '../docs/loss-files.js'
import { meaning } from '../docs/losses.js'
import { code } from '../docs/page.js'

test('every loss that is exported is found by its file', (t) => {
  const exported = [losses, crossEncoderLosses].flatMap((module) =>
    Object.entries(module).flatMap(([name, value]) => (typeof value === 'function' ? name : [])),
  )
  t.deepEqual(lossFiles.map(({ name }) => name).sort(), exported.sort())
  t.true(lossFiles.length > 40)
})

for (const file of lossFiles) {
  const title = file.path.replace('lib/losses/', '')
  test(`${title}: the comment is whole`, (t) => {
    const { summary, points, sources, deprecated } = file.comment
    t.regex(summary, /^[A-Z{].*[.]$/)
    for (const point of ['Data', 'Formula']) t.true(points.has(point), point)
    for (const [name, point] of points) t.regex(point, /[.]$/, name)
    if (file.name !== 'Custom') t.regex(sources, /Source: (sentence-transformers|transformers) `/)
    t.is(deprecated !== '', /Symmetric/.test(file.name))
  })

  test(`${title}: every option is documented with its default`, (t) => {
    t.is(typeof file.options, 'object')
    for (const [name, kind] of Object.entries(file.options)) {
      const comment = file.optionComment(name)
      t.regex(comment ?? '', /^[A-Z0-9`].*[.]$/, name)
      const stated = /Default (`[^`]+`|[^\s:]+?)(?:\.$|: )/.exec(comment!)?.[1]
      t.is(stated, kind.default === undefined ? undefined : code(kind.default), `${name}: ${comment}`)
      if (kind.default !== undefined) t.notThrows(() => kind.check(name, kind.default), name)
    }
  })

  test(`${title}: the example runs, with options that count, on data that the loss takes`, async (t) => {
    const { loss, trainDataset, args } = await runExample(file)
    t.is(loss.constructor.name, file.name)
    if (file.isForPairs)
      checkPairData(trainDataset, loss as never, 'trainDataset', /^CrossEntropy/.test(file.name) ? 3 : 1)
    else t.is(checkData(trainDataset, loss, 'trainDataset'), undefined)
    const options = args.at(-1) as Record<string, unknown> | undefined
    for (const [name, value] of Object.entries(options ?? {})) t.notDeepEqual(value, file.options[name]!.default, name)
    t.is(options === undefined, Object.keys(file.options).length === 0)
  })
}

test('comments are read: of classes, of members, of types that stand for others', (t) => {
  const { classes, interfaces } = commentsIn(`
export interface A extends B, C {
  /** One
   *  two. Default 3. */
  one?: number
}
export type D = A
/**
 * What it
 * does.
 *
 * - **Data**: a,
 *   b.
 * - **Formula**: c.
 *
 * Paper: P. Source: S.
 *
 * @example
 * const loss = 1
 *
 * @throws nothing
 */
export class Loss {}
`)
  t.deepEqual(interfaces.get('A'), { bases: ['B', 'C'], members: new Map([['one', 'One two. Default 3.']]) })
  t.deepEqual(interfaces.get('D')?.bases, ['A'])
  t.like(classes.get('Loss'), { summary: 'What it does.', sources: 'Paper: P. Source: S.', example: 'const loss = 1' })
  t.deepEqual(
    [...classes.get('Loss')!.points],
    [
      ['Data', 'a, b.'],
      ['Formula', 'c.'],
    ],
  )
})

test('the meaning of an option comes without its default', (t) => {
  t.is(meaning('How much. Default 3.'), 'How much')
  t.is(meaning('How much. Default `null`: all.'), 'How much. `null`: all')
  t.is(meaning('How much.'), 'How much')
})

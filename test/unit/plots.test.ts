// Plots: their numbers are read back from the SVG, as places, sizes and colours.
import test from 'ava'
import { plots, SentenceTorchError } from '../../lib/index.js'
import { GROUND, HEAT, LINE, MUTED, SERIES, TEXT } from '../../lib/plots/colours.js'
import { binned } from '../../lib/plots/histogram.js'
import { cut, uniqueLabels } from '../../lib/plots/texts.js'
import { described, elementsOf, numbersOf, textsOf } from '../helpers/svg.js'

const rgb = (hex: string) => [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16))

test('a heat map has a cell for each number, with its colour and text', async (t) => {
  const svg = await plots.heatmap({
    rows: ['a', 'b'],
    columns: ['c', 'd', 'e'],
    values: [[0, 0.5, 1], Float32Array.of(-3, 2, 0.25)],
    range: [0, 1],
  })
  const cells = [...described(svg)].filter(([label]) => /row: /.test(label))
  t.is(cells.length, 6)
  const colourAt = (row: string, column: string) =>
    numbersOf(
      cells.find(([label]) => label.includes(`row: ${row}`) && label.includes(`column: ${column}`))![1].attributes.fill,
    )
  t.deepEqual(colourAt('a', 'c'), rgb(HEAT[0]!))
  t.deepEqual(colourAt('a', 'e'), rgb(HEAT.at(-1)!))
  // Outside of the range: the nearest end.
  t.deepEqual(colourAt('b', 'c'), rgb(HEAT[0]!))
  t.deepEqual(colourAt('b', 'd'), rgb(HEAT.at(-1)!))
  // Half of the range lies between the fourth and the fifth of the eight colours.
  const half = rgb(HEAT[3]!).map((part, i) => (part + rgb(HEAT[4]!)[i]!) / 2)
  for (const [i, part] of colourAt('a', 'd').entries()) t.true(Math.abs(part - half[i]!) <= 3, `${part} for ${half[i]}`)
  const texts = textsOf(svg)
  for (const text of ['0.00', '0.50', '1.00', '-3.00', '2.00', '0.25', 'a', 'b', 'c', 'd', 'e']) {
    t.true(texts.includes(text), text)
  }
})

test('a large heat map has small cells without numbers, and equal values have a colour', async (t) => {
  const names = Array.from({ length: 60 }, (_, i) => `n${i}`)
  const svg = await plots.heatmap({ rows: names, columns: names, values: names.map(() => Array(60).fill(0.123)) })
  t.is([...described(svg).keys()].filter((label) => /row: /.test(label)).length, 3600)
  t.false(textsOf(svg).includes('0.12'))
  t.notRegex(svg, /NaN/)
})

test('curves go through their points', async (t) => {
  const svg = await plots.curves(
    {
      series: [
        { name: 'loss', x: [0, 10, 40], y: [4, 2, 0] },
        { name: 'eval', x: [10, 20], y: [1, 3] },
      ],
      xTitle: 'step',
    },
    { width: 400, height: 200, title: 'Loss' },
  )
  const lines = elementsOf(svg).filter(({ name, attributes }) => name === 'path' && /^M.*L/.test(attributes.d ?? ''))
  const [loss, evaluated] = lines.filter(({ attributes }) => attributes['stroke-width'] === '2')
  t.deepEqual(numbersOf(loss!.attributes.d), [0, 0, 100, 100, 400, 200])
  t.deepEqual(numbersOf(evaluated!.attributes.d), [100, 150, 200, 50])
  t.is(loss!.attributes.stroke, SERIES[0]!.light)
  t.is(evaluated!.attributes.stroke, SERIES[1]!.light)
  for (const text of ['Loss', 'step', 'loss', 'eval']) t.true(textsOf(svg).includes(text), text)
})

test('bars have the lengths of their values, and intervals their ends', async (t) => {
  const svg = await plots.bars(
    {
      bars: [
        { label: 'dev', group: 'before', value: 0.5, low: 0.25, high: 0.75 },
        { label: 'dev', group: 'after', value: 1 },
        { label: 'test', group: 'before', value: 0.125 },
      ],
    },
    { width: 400 },
  )
  const marks = [...described(svg)]
  const widthOf = (label: string, name: string) => {
    const found = marks.find(
      ([key]) => key.includes(`label: ${label}`) && key.includes(`name: ${name}`) && key.includes('value'),
    )
    const [left, , width] = numbersOf(found![1].attributes.d)
    return { left, width }
  }
  t.deepEqual(widthOf('dev', 'before'), { left: 0, width: 200 })
  t.deepEqual(widthOf('dev', 'after'), { left: 0, width: 400 })
  t.deepEqual(widthOf('test', 'before'), { left: 0, width: 50 })
  const rule = elementsOf(svg).find(({ name, attributes }) => name === 'line' && attributes['stroke-width'] === '1.5')!
  const [start] = numbersOf(rule.attributes.transform)
  t.deepEqual(
    [start, start! + Number(rule.attributes.x2)].sort((a, b) => a! - b!),
    [100, 300],
  )
  for (const text of ['0.5', '1', '0.125', 'dev', 'test', 'before', 'after']) t.true(textsOf(svg).includes(text), text)
})

test('points stand where their numbers are, with their labels', async (t) => {
  const svg = await plots.scatter(
    { series: [{ name: 'after', x: [0, 5, 10], y: [-1, 0, 1], labels: ['one', 'two', 'three'] }] },
    { width: 300, height: 200 },
  )
  const marks = described(svg)
  const placeOf = (label: string) => numbersOf(marks.get(label)!.attributes.transform)
  t.deepEqual(['one', 'two', 'three'].map(placeOf), [
    [0, 200],
    [150, 100],
    [300, 0],
  ])
})

test('bins of a histogram have round ends, and every value is in one', async (t) => {
  t.deepEqual(binned([[0.1, 0.2, 0.3, 0.3, 0.35, 0.9], [0.5]], 10), {
    edges: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9],
    counts: [
      [1, 1, 3, 0, 0, 0, 0, 1],
      [0, 0, 0, 0, 1, 0, 0, 0],
    ],
  })
  t.deepEqual(binned([[1, 2, 3, 7]], 4), { edges: [0, 2, 4, 6, 8], counts: [[1, 2, 0, 1]] })
  t.deepEqual(
    binned([[5, 5]], 10)
      .counts.flat()
      .reduce((a, b) => a + b),
    2,
  )
  for (const [low, high] of [
    [-1e-9, 1e-9],
    [1e6, 1e6 + 3],
    [-250, 4000],
  ]) {
    const values = Array.from({ length: 101 }, (_, i) => low! + (i / 100) * (high! - low!))
    const { edges, counts } = binned([values], 20)
    t.true(counts[0]!.length <= 20 && counts[0]!.length >= 8, `${counts[0]!.length} bins`)
    counts[0]!.forEach((count, i) => {
      const isLast = i === counts[0]!.length - 1
      const inside = values.filter(
        (value) => value >= edges[i]! && (value < edges[i + 1]! || (isLast && value <= edges[i + 1]!)),
      )
      t.is(count, inside.length, `${edges[i]} to ${edges[i + 1]}`)
    })
  }
  const svg = await plots.histogram(
    { series: [{ name: 'tokens', values: [1, 2, 3, 7] }], bins: 4 },
    { width: 400, height: 100 },
  )
  const heights = [...described(svg)]
    .filter(([label]) => /count: /.test(label))
    .map(([label, { attributes }]) => [/count: (\d+)/.exec(label)![1], numbersOf(attributes.d)[3]])
  t.deepEqual(heights, [
    ['1', 50],
    ['2', 100],
    ['1', 50],
  ])
})

test('texts cannot leave their element, and control characters do not break the XML', async (t) => {
  const hostile = '</text></svg><script>alert(1)</script><img src=x onerror=alert(1)>" onload="x'
  const svgs = await Promise.all([
    plots.heatmap(
      { rows: [hostile], columns: [`${hostile}\u0000\ud800`], values: [[1]], valueTitle: hostile },
      { title: hostile },
    ),
    plots.curves({
      series: [
        { name: hostile, x: [1], y: [1] },
        { name: 'b', x: [1], y: [1] },
      ],
      xTitle: hostile,
      yTitle: hostile,
    }),
    plots.bars({
      bars: [
        { label: hostile, group: hostile, value: 1 },
        { label: 'x', value: 1 },
      ],
      valueTitle: hostile,
    }),
    plots.scatter({
      series: [
        { name: hostile, x: [1], y: [1], labels: [hostile] },
        { name: 'b', x: [1], y: [1] },
      ],
    }),
    plots.histogram({
      series: [
        { name: hostile, values: [1] },
        { name: 'b', values: [1] },
      ],
      xTitle: hostile,
    }),
  ])
  for (const svg of svgs) {
    const names = new Set(elementsOf(svg).map(({ name }) => name))
    for (const name of names) {
      t.true(
        [
          'svg',
          'style',
          'g',
          'path',
          'rect',
          'line',
          'text',
          'defs',
          'lineargradient',
          'linearGradient',
          'stop',
        ].includes(name),
        name,
      )
    }
    t.false(elementsOf(svg).some(({ attributes }) => Object.keys(attributes).some((name) => name.startsWith('on'))))
    t.true(textsOf(svg).some((text) => text.startsWith('</text></svg>')))
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    t.notRegex(svg, /[\u0000-\u0008]|\p{Surrogate}/u)
  }
})

test('names that look like code or like paths of data stay texts', async (t) => {
  const svg = await plots.bars({
    bars: [
      { label: 'a.b[0]', value: 1 },
      { label: '__proto__', value: 2 },
      { label: "datum['x']", value: 3 },
    ],
  })
  for (const text of ['a.b[0]', '__proto__', "datum['x']"]) t.true(textsOf(svg).includes(text), text)
})

test('long labels are cut and stay apart', (t) => {
  t.is(cut('a  b\nc'), 'a b c')
  t.is([...cut('x'.repeat(100))].length, 40)
  t.is(cut('😀'.repeat(100), 3), '😀😀…')
  const same = uniqueLabels(['y'.repeat(50), 'y'.repeat(60), 'z', 'z'])
  t.is(new Set(same).size, 4)
  t.true(same.every((label) => [...label].length <= 40))
  t.is(same[3], 'z (2)')
})

test('themes: dark has its own colours, auto has both', async (t) => {
  const data = { series: [{ name: 'loss', x: [1, 2], y: [1, 2] }], xTitle: 'step' }
  const [light, dark, auto, bare] = await Promise.all([
    plots.curves(data, { theme: 'light' }),
    plots.curves(data, { theme: 'dark' }),
    plots.curves(data),
    plots.curves(data, { theme: 'light', background: false }),
  ])
  const colours = (svg: string) =>
    new Set(
      elementsOf(svg).flatMap(({ attributes: { fill, stroke } }) =>
        [fill, stroke].filter((colour) => colour?.startsWith('#')),
      ),
    )
  for (const { light: name } of [TEXT, MUTED, LINE, SERIES[0]!]) t.true(colours(light).has(name), name)
  for (const pair of [TEXT, MUTED, LINE, GROUND, SERIES[0]!]) {
    t.true(colours(dark).has(pair.dark), pair.dark)
    t.false(colours(dark).has(pair.light), pair.light)
  }
  t.true(auto.includes('prefers-color-scheme: dark'))
  t.deepEqual(colours(auto), colours(light))
  t.true(colours(light).has(GROUND.light) && !colours(bare).has(GROUND.light))
})

test('colours have the contrast that WCAG asks for', (t) => {
  for (const theme of ['light', 'dark'] as const) {
    const ground = GROUND[theme]
    for (const pair of [TEXT, MUTED]) t.true(contrast(pair[theme], ground) >= 4.5, `${theme} text ${pair[theme]}`)
    for (const pair of SERIES) t.true(contrast(pair[theme], ground) >= 3, `${theme} ${pair[theme]}`)
  }
})

/** Source: WCAG 2.2, relative luminance and contrast ratio. */
function contrast(a: string, b: string): number {
  const [low, high] = [a, b].map(luminance).sort((x, y) => x - y)
  return (high! + 0.05) / (low! + 0.05)
}

function luminance(hex: string): number {
  const [r, g, b] = rgb(hex).map((part) => {
    const share = part / 255
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!
}

test('data that cannot be drawn is refused with its place', async (t) => {
  const refused = (work: Promise<string>, message: RegExp) =>
    t.throwsAsync(work, { instanceOf: SentenceTorchError, message })
  const points = { name: 'a', x: [1, 2], y: [1, 2] }
  await refused(
    plots.heatmap({ rows: ['a'], columns: ['b', 'c'], values: [[1]] }),
    /values\[0\]: expected 2 numbers, one a column, but found 1/,
  )
  await refused(plots.heatmap({ rows: ['a'], columns: ['b'], values: [[Number.NaN]] }), /values\[0\]\[0\].*NaN/)
  await refused(plots.heatmap({ rows: ['a'], columns: ['b'], values: [] }), /as many values as rows \(1\), but found 0/)
  await refused(plots.heatmap({ rows: ['a'], columns: ['b'], values: [[1]], range: [1, 1] }), /two rising numbers/)
  const many = Array.from({ length: 201 }, (_, i) => `${i}`)
  await refused(
    plots.heatmap({ rows: many, columns: many, values: many.map(() => Array(201).fill(0)) }),
    /at most 40000 cells but found 40401/,
  )
  await refused(
    plots.curves({ series: [{ ...points, x: [2, 1] }] }),
    /series\[0\] x: expected rising numbers, but x\[1\] is 1 after 2/,
  )
  await refused(plots.curves({ series: [{ ...points, y: [1] }] }), /as many y as x \(2\), but found 1/)
  await refused(plots.curves({ series: [] }), /series: expected at least one entry/)
  await refused(plots.curves({ serie: [] } as never), /no option "serie"; did you mean series/)
  await refused(plots.bars({ bars: [{ label: 'a', value: Number.POSITIVE_INFINITY }] }), /bars\[0\] value.*Infinity/)
  await refused(plots.bars({ bars: [{ label: 'a', value: 1, low: 0 }] }), /both ends of the interval, but only low/)
  await refused(
    plots.bars({
      bars: [
        { label: 'a', value: 1 },
        { label: 'a', value: 2 },
      ],
    }),
    /another bar "a"/,
  )
  await refused(plots.scatter({ series: [{ ...points, labels: ['x'] }] }), /as many labels as x \(2\), but found 1/)
  await refused(
    plots.histogram({ series: [{ name: 'a', values: [] }] }),
    /series\[0\] values: expected at least one number/,
  )
  await refused(plots.histogram({ series: [{ name: 'a', values: [1] }], bins: 0 }), /bins/)
  await refused(plots.curves({ series: [points] }, { theme: 'blue' as never }), /theme/)
  await refused(plots.curves({ series: [points] }, { size: 3 } as never), /no option "size"/)
})

// node examples/quickstart/picture.mjs result.json > docs/quickstart.svg: the picture in the README, from one `--json` result.
import { readFileSync } from 'node:fs'

const { before, after, seconds, steps } = JSON.parse(readFileSync(process.argv[2], 'utf8'))
const WIDTH = 640
const SCALE = 4.2 // pixels per percent; bars begin at 0

const rows = [
  ['Nearest example', before.nearestNeighbour, after.nearestNeighbour],
  ['Nearest class mean', before.classMean, after.classMean],
].map(([name, was, is], i) => {
  const y = 96 + i * 92
  const bar = (value, top, fill, word) =>
    `<rect x="164" y="${top}" width="${(100 * value * SCALE).toFixed(1)}" height="26" rx="3" fill="${fill}"/>` +
    `<text x="174" y="${top + 18}" fill="#fff">${word} ${(100 * value).toFixed(1)} %</text>`
  return (
    `<text x="152" y="${y + 34}" text-anchor="end" fill="#57606a">${name}</text>` +
    bar(was, y, '#8c959f', 'before') +
    bar(is, y + 31, '#1a7f37', 'after')
  )
})

console.log(`<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="280" viewBox="0 0 ${WIDTH} 280" font-family="system-ui, sans-serif" font-size="14" role="img">
<title>Accuracy of the quickstart before and after fine-tuning</title>
<rect width="${WIDTH}" height="280" rx="8" fill="#fff" stroke="#d0d7de"/>
<text x="24" y="36" font-size="18" font-weight="600" fill="#1f2328">77 bank intents, ten examples each: npm run quickstart</text>
<text x="24" y="60" fill="#57606a">all-MiniLM-L6-v2 sorts 3,080 questions; ${steps} steps of 32 pairs, ${Math.round(seconds)} s in all</text>
${rows.join('\n')}
</svg>`)

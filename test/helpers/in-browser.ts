// What every page of this project has to keep: no errors, no requests, no script of others, contrast, the width of a phone.
import { pathToFileURL } from 'node:url'
import type { ExecutionContext } from 'ava'
import { Chromium, findChromium } from './chromium.js'

/** Opens a page in every theme and width, and checks what holds for all. */
export async function inBrowser(
  t: ExecutionContext,
  file: string,
  read: (evaluate: <T>(expression: string) => Promise<T>) => Promise<void>,
) {
  const browser = await Chromium.open(findChromium()!)
  t.teardown(() => browser.close())
  for (const dark of [false, true]) {
    for (const width of [360, 1280]) {
      const page = await browser.page(pathToFileURL(file).href, { width, dark })
      const where = `${dark ? 'dark' : 'light'}, ${width} px`
      t.deepEqual(page.problems, [], where)
      t.deepEqual(
        page.requests.filter((url) => !url.startsWith('file:') && !url.startsWith('data:')),
        [],
        where,
      )
      t.is(await page.evaluate('window.hacked'), undefined, where)
      t.true(
        (await page.evaluate<number>('document.documentElement.scrollWidth')) <= width,
        `${where}: scrolls sideways`,
      )
      t.deepEqual(await page.evaluate(FAINT), [], where)
      await read((expression) => page.evaluate(expression))
    }
  }
}

/** Texts of a page whose contrast to the ground is below 4.5, except those on cells of a heat map. Source: WCAG 2.2, 1.4.3. */
export const FAINT = `(() => {
  const parse = (css) => css.match(/[\\d.]+/g).map(Number)
  const luminance = (css) => {
    const [r, g, b] = parse(css).slice(0, 3).map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
  }
  const ground = luminance(getComputedStyle(document.body).backgroundColor)
  const contrast = (css) => { const l = luminance(css); return (Math.max(l, ground) + 0.05) / (Math.min(l, ground) + 0.05) }
  const faint = []
  for (const element of document.querySelectorAll('body *')) {
    if (![...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim())) continue
    if (element.tagName === 'STYLE') continue
    const style = getComputedStyle(element)
    const colour = element instanceof SVGElement ? style.fill : style.color
    if (['rgb(255, 255, 254)', 'rgb(0, 0, 1)'].includes(colour)) continue
    if (contrast(colour) < 4.5) faint.push(element.tagName + ' ' + colour + ' ' + element.textContent.slice(0, 30))
  }
  return faint
})()`

/**
 * Colours of plots, as they are on a light ground and on a dark one. Texts have a contrast of at least 4.5 to the ground, lines and
 * points of at least 3 (WCAG 2.2, 1.4.3 and 1.4.11). The colours of series are told apart by people who see red and green alike
 * (after Okabe and Ito, Color Universal Design, 2008).
 */
interface Pair {
  light: string
  dark: string
}

export const GROUND: Pair = { light: '#ffffff', dark: '#15181c' }
export const TEXT: Pair = { light: '#1b1f23', dark: '#e6e9ec' }
export const MUTED: Pair = { light: '#57606a', dark: '#a3acb5' }
export const LINE: Pair = { light: '#d5dade', dark: '#353c43' }

export const SERIES: readonly Pair[] = [
  { light: '#0a6cb3', dark: '#56b4e9' },
  { light: '#c24f00', dark: '#f0902e' },
  { light: '#00795a', dark: '#2cc69a' },
  { light: '#a3447f', dark: '#e39ac2' },
  { light: '#8a6d00', dark: '#e5c94b' },
  { light: '#5b4bb7', dark: '#a99cf0' },
  { light: '#8a3b12', dark: '#d99a78' },
  { light: '#4f5b66', dark: '#b4bec8' },
]

/** From low to high; the same on both grounds. Source: viridis of matplotlib (CC0). */
export const HEAT = ['#440154', '#46327e', '#365c8d', '#277f8e', '#1fa187', '#4ac16d', '#a0da39', '#fde725']
/** The share of the range from which black text is read better than white text on HEAT. */
export const HEAT_LIGHT_FROM = 0.55
/** Texts on HEAT. They are no colours of PAIRS, because the cells below them stay as they are. */
export const ON_HEAT = { light: '#fffffe', dark: '#000001' }

export type Theme = 'light' | 'dark' | 'auto'
export const THEMES: readonly Theme[] = ['light', 'dark', 'auto']

const PAIRS: readonly Pair[] = [GROUND, TEXT, MUTED, LINE, ...SERIES]

/** CSS that gives the colours of a drawing inside of `scope` those for a dark ground, where the reader prefers that. */
export function darkRules(scope: string): string {
  const rules = PAIRS.flatMap(({ light, dark }) => [
    `${scope} [fill="${light}"]{fill:${dark}}`,
    `${scope} [stroke="${light}"]{stroke:${dark}}`,
  ])
  return `@media (prefers-color-scheme: dark){${rules.join('')}}`
}

/** A drawing of light colours with those for a dark ground. */
export function darkened(svg: string): string {
  const dark = new Map(PAIRS.map((pair) => [pair.light, pair.dark]))
  return svg.replace(/ (fill|stroke)="(#[0-9a-f]{6})"/g, (all, name: string, colour: string) =>
    dark.has(colour) ? ` ${name}="${dark.get(colour)}"` : all,
  )
}

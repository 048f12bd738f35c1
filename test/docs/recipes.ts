// The list of recipes, and the options of each, for the pages of docs/recipes.
import { existsSync } from 'node:fs'
import { RECIPES } from '../../lib/recipes/index.js'
import { COMMON, type Recipe } from '../../lib/recipes/recipe.js'
import { code, fillPage, table } from './page.js'

const ROOT = new URL('../../../', import.meta.url)

/** `docs/recipes/multiple-negatives.md` of `multipleNegatives`. */
export function pageOf(recipe: Pick<Recipe, 'name'>): string {
  return `docs/recipes/${recipe.name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}.md`
}

/** The pages that there are, filled, by their paths. */
export function recipePages(read: (path: string) => string): Map<string, string> {
  const pages = new Map([['docs/recipes/README.md', { recipes: list(), options: options(COMMON) }]] as [
    string,
    Record<string, string>,
  ][])
  for (const recipe of RECIPES) {
    const path = pageOf(recipe)
    if (!existsSync(new URL(path, ROOT))) continue
    const own = Object.entries(recipe.options).filter(([name]) => !Object.hasOwn(COMMON, name))
    pages.set(path, { options: options(Object.fromEntries(own)) })
  }
  return new Map([...pages].map(([path, parts]) => [path, fillPage(read(path), parts)]))
}

function list(): string {
  const rows = RECIPES.map((recipe) => {
    const path = pageOf(recipe)
    const name = code(recipe.name)
    const isThere = existsSync(new URL(path, ROOT))
    return [recipe.summary, isThere ? `[${name}](${path.slice('docs/recipes/'.length)})` : name]
  })
  return table(['You have', 'Recipe'], rows)
}

function options(of: Recipe['options']): string {
  const rows = Object.entries(of).map(([name, option]) => [
    code(name),
    option.values ? option.values.map(code).join(', ') : option.expected,
    option.isNeeded ? 'needed' : option.default === undefined ? '–' : code(option.default),
    option.doc,
  ])
  return table(['Option', 'Takes', 'Default', 'Meaning'], rows)
}

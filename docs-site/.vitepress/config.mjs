import { readdirSync } from 'node:fs'

// Dead links inside of the site fail the build: that is VitePress' default.
const pages = (...names) => names.map(([text, link]) => ({ text, link: `/${link}` }))

/** @type {{ text: string, items: { text: string, link: string }[] }[]} */
const sidebar = [
  {
    text: 'Use models',
    items: pages(
      ['Start', ''],
      ['Embeddings', 'embeddings'],
      ['Encode', 'encode'],
      ['Corpora', 'corpora'],
      ['Models', 'models'],
      ['Modules', 'modules'],
      ['Cross-encoders', 'cross-encoder'],
      ['T5', 'seq2seq'],
      ['Utilities', 'utilities'],
      ['Embedding index', 'embedding-index'],
      ['Vector databases', 'vector-databases'],
      ['LangChain, AI SDK, LlamaIndex, transformers.js', 'integrations'],
      ['Server', 'serve'],
      ['ONNX', 'onnx'],
      ['Command line', 'cli'],
    ),
  },
  {
    text: 'Train',
    items: pages(
      ['Recipes', 'recipes/'],
      ['Data', 'data'],
      ['Training', 'training'],
      ['Losses', 'losses'],
      ['Tensors', 'tensor'],
      ['Several processes', 'distributed'],
      ['Scaling', 'scale'],
      ['Adapters', 'adapters'],
      ['Merging', 'merging'],
      ['Evaluation', 'evaluation'],
      ['Logs and warnings', 'reporting'],
      ['Reports', 'reports'],
    ),
  },
  {
    text: 'Install',
    items: pages(['Install', 'install'], ['Frameworks', 'frameworks'], ['Electron', 'electron'], ['CUDA', 'cuda']),
  },
  { text: 'API', items: pages(['All exports', 'api/']) },
  {
    text: 'The project',
    items: pages(['Parity with Python', 'parity'], ['Decisions', 'decisions'], ['Roadmap', 'roadmap']),
  },
]

// A page that nobody has put into a group is at the end.
const listed = new Set(sidebar.flatMap(({ items }) => items.map(({ link }) => link)))
const names = readdirSync(new URL('../../docs/', import.meta.url)).flatMap(
  (name) => /^([\w-]+)\.md$/.exec(name)?.[1] ?? [],
)
const others = names.filter((name) => !listed.has(`/${name}`))
if (others.length > 0) sidebar.push({ text: 'More', items: pages(...others.map((name) => [name, name])) })

export default {
  title: 'sentence-torch',
  description: 'Fine-tune, evaluate and serve sentence-embedding models from Node, without Python.',
  srcDir: 'pages',
  outDir: 'dist',
  cleanUrls: true,
  // Text in angle brackets is text, not a component.
  markdown: { html: false },
  themeConfig: {
    search: { provider: 'local' },
    outline: 'deep',
    sidebar,
  },
}

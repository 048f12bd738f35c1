import type { Command } from './command.js'

export const push: Command = {
  name: 'push',
  summary: 'uploads a saved model, with its model card, to the Hugging Face hub',
  arguments: [
    { name: 'folder', help: "a model's folder" },
    { name: 'repository', help: 'owner/name' },
  ],
  options: {
    create: { type: 'boolean', help: 'make the repository if there is none; it is private, unless --public' },
    public: { type: 'boolean', help: 'a new repository is public' },
    branch: { type: 'string', value: 'name', help: 'the branch that gets the commit', fallback: 'main' },
    message: { type: 'string', value: 'text', help: 'the title of the commit', fallback: 'Add model' },
    json: { type: 'boolean', help: 'address, commit and files as one JSON object' },
  },
  notes:
    'HF_TOKEN holds an access token that may write. Files that the repository has besides stay. HF_ENDPOINT names another hub.',
  examples: [
    ['HF_TOKEN=hf_… npx sentence-torch push runs/a/model me/my-model --create', 'a new private repository'],
    ["npx sentence-torch push runs/a/model me/my-model --message 'More epochs'", 'a commit to one that is there'],
  ],
  async run(values, io) {
    const { pushModel } = await import('./push-model.js')
    return pushModel(values, io)
  },
}

import { expect, test } from 'bun:test'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'

const root = join(import.meta.dir, '../..')
const documents = ['*.md', ...['docs', 'bench', 'load', 'k8s', 'src'].map((folder) => `${folder}/**/*.md`)]
  .flatMap((pattern) => [...new Bun.Glob(pattern).scanSync(root)])
  .filter((path) => !path.includes('node_modules'))

test.each(documents)('the relative links of %s lead to files', async (path) => {
  const text = await Bun.file(join(root, path)).text()
  const targets = [...text.matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)].map(([, target = '']) => target)
  expect(targets.filter((target) => !existsSync(join(root, dirname(path), target)))).toEqual([])
})

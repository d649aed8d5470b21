import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { root } from '../support/root.ts'

const cluster = join(root, 'test/e2e/rollout/cluster')

/** The names of the checks that the cluster test prints; an expression in a name matches any text. */
async function readCheckNames(): Promise<RegExp[]> {
  const files = [...new Bun.Glob('*.ts').scanSync(cluster)].filter((file) => !file.endsWith('.test.ts'))
  const sources = await Promise.all(files.map((file) => Bun.file(join(cluster, file)).text()))
  return [...sources.join('\n').matchAll(/\bcheck\(\s*(?:'([^'\n]+)'|`([^`\n]+)`)/g)].map(
    ([, text, template = '']) =>
      new RegExp(
        `^${(text ?? template)
          .split(/\$\{[^}]+\}/)
          .map(RegExp.escape)
          .join('.+')}$`,
      ),
  )
}

test('docs/cluster-test.md names the checks as the cluster test prints them', async () => {
  const page = await Bun.file(join(root, 'docs/cluster-test.md')).text()
  const [, table = ''] = /\| check \| result \|\n\| --- \| --- \|\n((?:\|.*\n)+)/.exec(page) ?? []
  const rows = table
    .trim()
    .split('\n')
    .map((row) => row.split(' | ')[0]?.replace('| ', '') ?? '')
  expect(rows.length).toBeGreaterThan(10)
  const names = await readCheckNames()
  expect(rows.filter((row) => !names.some((name) => name.test(row)))).toEqual([])
})

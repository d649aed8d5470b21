import { expect, test } from 'bun:test'
import { dirname, join } from 'node:path'
import { root } from '../support/root.ts'

// pages.test.ts checks that linked files exist.

/** The rows of a page's tables. */
async function readRows(page: string): Promise<string[]> {
  const text = await Bun.file(join(root, page)).text()
  return text.split('\n').filter((line) => line.startsWith('| '))
}

/** A link to a test file, followed by a test title in quotes. */
function findTitles(page: string, rows: readonly string[]): { file: string; title: string }[] {
  return rows.flatMap((row) =>
    [...row.matchAll(/\]\(([^)]+)\): "([^"]+)"/g)].map(([, file = '', title = '']) => ({
      file: join(dirname(page), file),
      title,
    })),
  )
}

const readiness = await readRows('docs/production-readiness.md')
const security = await readRows('docs/security.md')
const named = [
  ...findTitles('docs/production-readiness.md', readiness),
  ...findTitles('docs/security.md', security),
]

test('every requirement names its proof or is left to the operator', () => {
  const requirements = readiness.slice(1).map((line) => line.split(' | '))
  expect(requirements.length).toBeGreaterThan(40)
  const unproven = requirements.filter(
    ([, text = '', proof = '']) => !proof.includes('](') && !text.includes('**You:**'),
  )
  expect(unproven).toEqual([])
})

test('both pages name tests by title', () => {
  expect(named.length).toBeGreaterThan(20)
})

test.each(named)('$file has the test "$title"', async ({ file, title }) => {
  const source = await Bun.file(join(root, file)).text()
  expect(source.includes(title)).toBe(true)
})

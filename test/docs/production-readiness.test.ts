import { expect, test } from 'bun:test'
import { dirname, join } from 'node:path'
import { root } from '../support/root.ts'

// That the files exist is checked with all other links (pages.test.ts).

const path = 'docs/production-readiness.md'
const rows = (await Bun.file(join(root, path)).text()).split('\n').filter((line) => line.startsWith('| '))
const requirements = rows.slice(1).map((line) => line.split(' | '))
const named = rows.flatMap((row) =>
  [...row.matchAll(/\]\(([^)]+)\): "([^"]+)"/g)].map(([, file = '', title = '']) => ({ file, title })),
)

test('every requirement is shown by something, or is left to the operator', () => {
  expect(requirements.length).toBeGreaterThan(40)
  const unproven = requirements.filter(
    ([, text = '', proof = '']) => !proof.includes('](') && !text.includes('**You:**'),
  )
  expect(unproven).toEqual([])
})

test('some requirements name the very test', () => {
  expect(named.length).toBeGreaterThan(5)
})

test.each(named)('$file has the test "$title"', async ({ file, title }) => {
  const source = await Bun.file(join(root, dirname(path), file)).text()
  expect(source.includes(`'${title}'`)).toBe(true)
})

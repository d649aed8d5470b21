import { expect, test } from 'bun:test'
import { existsSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dir, '../..')
const rows = (await Bun.file(join(root, 'docs/security.md')).text())
  .split('\n')
  .filter((line) => line.startsWith('| ') && !line.startsWith('| threat'))
  .map((line): [threat: string, testedBy: string] => {
    const [, threat = '', , testedBy = ''] = line.split('|').map((cell) => cell.trim())
    return [threat, testedBy]
  })

test('docs/security.md names two dozen threats and more', () => {
  expect(rows.length).toBeGreaterThan(24)
})

test.each(rows)('docs/security.md names files that exist for: %s', (_, testedBy) => {
  const files = [...testedBy.matchAll(/`([^`]+)`/g)].map(([, file = '']) => file)
  expect(files).not.toEqual([])
  expect(files.filter((file) => !existsSync(join(root, file)))).toEqual([])
})

import { describe, expect, test } from 'bun:test'
import { join } from 'node:path'

const root = join(import.meta.dir, '../..')
const rows = (await Bun.file(join(root, 'docs/security.md')).text())
  .split('\n')
  .filter((line) => line.startsWith('| ') && !line.startsWith('| threat'))
  .map((line) => line.split('|').map((cell) => cell.trim()))

describe('docs/security.md: what shows that a threat is met is there', () => {
  test('for two dozen threats and more', () => {
    expect(rows.length).toBeGreaterThan(24)
  })

  test.each(rows)('%s%s', async (_before, _threat, _met, shown = '') => {
    const named = /^`(test\/[^`]+)`: (.+)$/.exec(shown)
    if (named !== null) {
      const [, file = '', words = ''] = named
      expect(await Bun.file(join(root, file)).text()).toContain(words)
      return
    }
    const files = [...shown.matchAll(/`([^`]+)`/g)].map(([, file = '']) => file)
    expect(files).not.toEqual([])
    for (const file of files) expect(await Bun.file(join(root, file)).exists()).toBe(true)
  })
})

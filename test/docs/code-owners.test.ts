import { expect, test } from 'bun:test'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../support/root.ts'

test('every path in the CODEOWNERS example exists', async () => {
  const lines = (await Bun.file(join(root, '.github/CODEOWNERS.example')).text()).split('\n')
  const paths = lines.flatMap((line) => /^(\/\S+)\s+@/.exec(line)?.[1] ?? [])
  expect(paths.length).toBeGreaterThan(10)
  expect(paths.filter((path) => !existsSync(join(root, path)))).toEqual([])
})

import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { root } from '../support/root.ts'

/** The arguments of the first `docker run` of a page. */
async function readArguments(page: string): Promise<string[]> {
  const text = await Bun.file(join(root, page)).text()
  const [, command = ''] = /^docker run ((?:.*\\\n)*.*)/m.exec(text) ?? []
  return command.replaceAll('\\\n', ' ').trim().split(/\s+/)
}

// The image test runs the command of docs/docker.md.
test('the docker run of the README has only options of the tested command', async () => {
  const tested = await readArguments('docs/docker.md')
  const short = await readArguments('README.md')
  expect(short).toEqual(
    expect.arrayContaining(['--volume', '--stop-timeout', 'GRACE_PERIOD=60s', 'tally:dev']),
  )
  expect(short.filter((word) => !tested.includes(word))).toEqual([])
  expect(short.at(-1)).toBe(tested.at(-1) as string)
})

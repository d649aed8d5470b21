import { expect, test } from 'bun:test'
import { commandOf } from '../../bench/production-bundle.ts'

test("the image's build step is found in the Dockerfile, over several lines", async () => {
  const command = commandOf(await Bun.file(new URL('../../Dockerfile', import.meta.url)).text())
  expect(command.slice(0, 2)).toEqual(['bun', 'build'])
  expect(command).toContain('src/main.ts')
  expect(command.filter((option) => /^--(outdir|public-path)=/.test(option))).toHaveLength(2)
})

test('a Dockerfile without it is refused', () => {
  expect(() => commandOf('FROM scratch\nRUN ["bun", "test"]\n')).toThrow('has no step')
})

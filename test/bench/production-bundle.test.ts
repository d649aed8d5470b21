import { expect, test } from 'bun:test'
import { commandOf } from '../../bench/production-bundle.ts'

test("the image's build step is found in the Dockerfile", async () => {
  const command = commandOf(await Bun.file(new URL('../../Dockerfile', import.meta.url)).text())
  expect(command.slice(0, 2)).toEqual(['bun', 'tools/bundle.ts'])
  expect(command.filter((option) => /^--(outdir|public-path)=/.test(option))).toHaveLength(2)
})

test('the step may go over several lines', () => {
  const dockerfile = 'FROM base\nRUN ["bun", "tools/bundle.ts", \\\n  "--outdir=/app"]\n'
  expect(commandOf(dockerfile)).toEqual(['bun', 'tools/bundle.ts', '--outdir=/app'])
})

test('a Dockerfile without it is refused', () => {
  expect(() => commandOf('FROM scratch\nRUN ["bun", "test"]\n')).toThrow('has no step')
})

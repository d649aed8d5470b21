import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { cp, mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runCommand } from '../support/command.ts'
import { root } from '../support/root.ts'
import { startService } from '../support/service.ts'
import { until } from '../support/until.ts'

// Follows docs/extending.md to the letter on a copy of the project.
setDefaultTimeout(120_000)

/** A block of code: its kind, its file and its text. */
interface Block {
  readonly language: string
  readonly path: string
  readonly text: string
}

const text = await Bun.file(join(root, 'docs/extending.md')).text()
const blocks: Block[] = [...text.matchAll(/^```(\w+) ?(\S*)\n(.*?)^```$/gms)].map(
  ([, language = '', path = '', text = '']) => ({ language, path, text }),
)
const ofLanguage = (language: string): Block[] => blocks.filter((block) => block.language === language)
const files = ofLanguage('ts').map(({ path }) => path)

let copy = ''
beforeAll(async () => {
  copy = await mkdtemp(join(tmpdir(), 'tally-extended-'))
  for (const name of ['src', 'test', 'docs', 'package.json', 'biome.json'])
    await cp(join(root, name), join(copy, name), { recursive: true })
  const { compilerOptions, exclude } = await Bun.file(join(root, 'tsconfig.json')).json()
  await Bun.write(
    join(copy, 'tsconfig.json'),
    JSON.stringify({ compilerOptions, include: ['src', ...files], exclude }),
  )
  await symlink(join(root, 'node_modules'), join(copy, 'node_modules'))
  for (const { path, text } of ofLanguage('ts')) await Bun.write(join(copy, path), text)
  for (const { path, text } of ofLanguage('diff')) await applyDiff(join(copy, path), text)
})
afterAll(() => rm(copy, { recursive: true }))

/** Applies hunks separated by `@@`. The text that a hunk replaces must occur exactly once. */
async function applyDiff(path: string, diff: string): Promise<void> {
  let content = await Bun.file(path).text()
  for (const hunk of diff.split(/^@@\n/m)) {
    const lines = hunk.trimEnd().split('\n')
    const side = (sign: '+' | '-'): string =>
      lines.flatMap((line) => (line[0] === ' ' || line[0] === sign ? [line.slice(1)] : [])).join('\n')
    expect({ path, hunk, found: content.split(side('-')).length - 1 }).toEqual({ path, hunk, found: 1 })
    content = content.replace(side('-'), () => side('+'))
  }
  await Bun.write(path, content)
}

/** Runs a command in the copy. @throws Error with its output if it fails */
async function run(...command: string[]): Promise<void> {
  const { exitCode, output } = await runCommand(command, { cwd: copy })
  if (exitCode !== 0) throw new Error(`${command.join(' ')} failed:\n${output}`)
}

test('the guide has files, changes of files, and requests with their answers', () => {
  expect(files).toHaveLength(5)
  expect(ofLanguage('diff')).toHaveLength(3)
  expect(ofLanguage('json')).toHaveLength(ofLanguage('sh').length)
})

test('its code has the right types, format and imports', async () => {
  const bun = process.execPath
  await run(bun, '--bun', 'tsc', '--noEmit', '--project', copy)
  const changed = [...files, ...ofLanguage('diff').map(({ path }) => path)]
  await run(bun, '--bun', 'biome', 'check', '--error-on-warnings', '--vcs-enabled=false', ...changed)
})

test('its tests and those of the API document pass', async () => {
  const tests = files.filter((path) => path.endsWith('.test.ts'))
  await run(process.execPath, 'test', ...tests, 'test/http/openapi', 'test/tasks/task-handler.test.ts')
})

test('its requests get the documented responses', async () => {
  await using service = await startService({ program: join(copy, 'src/main.ts') })
  const expected = ofLanguage('json').map(({ text }) => JSON.stringify(JSON.parse(text)))
  for (const [n, { text }] of ofLanguage('sh').entries()) {
    const script = text.replaceAll('localhost:8000', `127.0.0.1:${service.port}`)
    // The task may not have ended yet at the first request.
    await until(async () => (await Bun.$`sh -c ${script}`.text()).includes(expected[n] as string))
  }
})

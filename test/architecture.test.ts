import { beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

// Imports point one way (the import rules of biome.json). Each arrow that must not be is tried, and some beside it
// that may: a rule that refuses nothing, or everything, is no rule.
setDefaultTimeout(30_000)

const root = fileURLToPath(new URL('..', import.meta.url))

const arrows: [path: string, from: string, verdict: 'allowed' | 'forbidden'][] = [
  ['src/analysis/example.ts', './numeric.ts', 'allowed'],
  ['src/analysis/example.ts', '../http/app.ts', 'forbidden'],
  ['src/analysis/example.ts', '../telemetry/log.ts', 'forbidden'],
  ['src/lifecycle/example.ts', './clock.ts', 'allowed'],
  ['src/lifecycle/example.ts', '../telemetry/log.ts', 'forbidden'],
  ['src/lifecycle/example.ts', '../config.ts', 'forbidden'],
  ['src/telemetry/example.ts', './log.ts', 'allowed'],
  ['src/telemetry/example.ts', '../http/exchange.ts', 'forbidden'],
  ['src/telemetry/example.ts', '../lifecycle/index.ts', 'forbidden'],
  ['src/runtime-settings/example.ts', '../telemetry/log.ts', 'allowed'],
  ['src/runtime-settings/example.ts', '../http/app.ts', 'forbidden'],
  ['src/runtime-settings/example.ts', '../config.ts', 'forbidden'],
  ['src/config.ts', 'zod', 'allowed'],
  ['src/config.ts', './main.ts', 'forbidden'],
  ['src/config.ts', './http/app.ts', 'forbidden'],
  ['src/config.ts', './store/open.ts', 'forbidden'],
  ['src/documents/example.ts', './document-store.ts', 'allowed'],
  ['src/documents/example.ts', '../http/problem.ts', 'forbidden'],
  ['src/documents/example.ts', '../config.ts', 'forbidden'],
  ['src/documents/example.ts', './sqlite.ts', 'forbidden'],
  ['src/documents/open.ts', './sqlite.ts', 'allowed'],
  ['src/tasks/example.ts', './task-queue.ts', 'allowed'],
  ['src/tasks/example.ts', '../http/problem.ts', 'forbidden'],
  ['src/tasks/example.ts', './bullmq.ts', 'forbidden'],
  ['src/tasks/open.ts', './sqlite.ts', 'allowed'],
  ['src/http/example.ts', '../analysis/payload.ts', 'allowed'],
  ['src/http/example.ts', '../store/document-store.ts', 'allowed'],
  ['src/http/example.ts', '../telemetry/log.ts', 'allowed'],
  ['src/http/example.ts', '../lifecycle/index.ts', 'allowed'],
  ['src/http/example.ts', '../config.ts', 'forbidden'],
  ['src/http/example.ts', '../main.ts', 'forbidden'],
  ['src/http/example.ts', '../setup/log.ts', 'forbidden'],
  ['src/http/example.ts', '../store/sqlite.ts', 'forbidden'],
  ['src/http/example.ts', '../store/postgres.ts', 'forbidden'],
  ['src/http/example.ts', '../queue/bullmq-redis.ts', 'forbidden'],
  ['src/http/example.ts', '../tracing/tracing.ts', 'allowed'],
  ['src/http/example.ts', '../tracing/open-telemetry.ts', 'forbidden'],
  ['src/http/nested/example.ts', '../../main.ts', 'forbidden'],
  ['src/main.ts', './http/app.ts', 'allowed'],
]

interface Report {
  readonly diagnostics: readonly {
    readonly category: string
    readonly location: { readonly path: string; readonly start: { readonly line: number } }
  }[]
}

/** Where the linter forbids an import, as `path:line`, in a tree that has only these files. */
async function forbiddenIn(files: ReadonlyMap<string, string>): Promise<Set<string>> {
  const tree = await mkdtemp(join(tmpdir(), 'tally-architecture-'))
  try {
    await cp(join(root, 'biome.json'), join(tree, 'biome.json'))
    for (const [path, text] of files) await Bun.write(join(tree, path), text)
    const rules = ['--vcs-enabled=false', '--only=style/noRestrictedImports', '--max-diagnostics=none']
    const linter = Bun.spawn(
      [join(root, 'node_modules/.bin/biome'), 'lint', ...rules, '--reporter=json', tree],
      {
        cwd: tree,
        stdout: 'pipe',
        stderr: 'ignore',
      },
    )
    const { diagnostics } = (await linter.stdout.json()) as Report
    return new Set(
      diagnostics.map(
        ({ location }) => `${location.path.slice(location.path.indexOf('src/'))}:${location.start.line}`,
      ),
    )
  } finally {
    await rm(tree, { recursive: true, force: true })
  }
}

describe('an import', () => {
  const byPath = Map.groupBy(arrows, ([path]) => path)
  let forbidden: Set<string>
  beforeAll(async () => {
    const texts = [...byPath].map(([path, imports]) => {
      const lines = imports.map(([, from], i) => `export { thing as thing${i} } from '${from}'\n`)
      return [path, lines.join('')] as const
    })
    forbidden = await forbiddenIn(new Map(texts))
  })

  for (const [path, imports] of byPath)
    for (const [i, [, from, verdict]] of imports.entries())
      test(`in ${path} from ${from} is ${verdict}`, () => {
        expect(forbidden.has(`${path}:${i + 1}`)).toBe(verdict === 'forbidden')
      })
})

test('the rules hold in the tree as it is', async () => {
  const linter = Bun.spawn(
    [join(root, 'node_modules/.bin/biome'), 'lint', '--only=style/noRestrictedImports', 'src'],
    { cwd: root, stdout: 'ignore', stderr: 'pipe' },
  )
  const said = await linter.stderr.text()
  expect({ code: await linter.exited, said }).toMatchObject({ code: 0 })
})

test('only programs read the environment', async () => {
  // check.ts is the health check, a program of its own; processes.ts hands all of it on to the members.
  const programs = new Set(['src/main.ts', 'src/worker.ts', 'src/healthcheck.ts', 'src/server/supervisor.ts'])
  const readers: string[] = []
  for await (const path of new Bun.Glob('src/**/*.{ts,tsx}').scan(root))
    if (/process\.env|Bun\.env|import\.meta\.env/.test(await Bun.file(root + path).text())) readers.push(path)
  expect(readers).toContain('src/main.ts')
  expect(readers.filter((path) => !programs.has(path))).toEqual([])
})

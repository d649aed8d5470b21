import { beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runCommand } from './support/command.ts'
import { hasProgram } from './support/programs.ts'

// Checks the import rules of biome.json on a tree of example files. A rule must forbid something and allow something,
// so each folder has one forbidden and one allowed import.
setDefaultTimeout(30_000)

const root = fileURLToPath(new URL('..', import.meta.url))
/** The launcher runs on Node.js, which may be absent here. */
const biome = [process.execPath, join(root, 'node_modules/.bin/biome')]
// A base image may lack the launcher's shell and the linter's libraries.
const { exitCode } = await runCommand([...biome, '--version'])
const haveBiome = hasProgram('biome', 'dash and libgcc-s1', exitCode === 0)

const imports: [path: string, allowed: string[], forbidden: string[]][] = [
  ['main.ts', ['./server/run.ts', './config.ts'], ['./http/app.ts', './lifecycle/index.ts', './worker.ts']],
  ['worker.ts', ['./server/run.ts', './config.ts'], ['./tasks/open.ts', './main.ts']],
  ['migrate.ts', ['./server/migrate.ts', './config.ts'], ['./database/open.ts', './main.ts']],
  ['healthcheck.ts', ['node:http'], ['./config.ts']],
  ['config.ts', ['zod'], ['./server/run.ts', './telemetry/log/log.ts']],
  [
    'server/example.ts',
    ['../config.ts', '../http/app.ts', '../tasks/open.ts', '../telemetry/tracing/open-telemetry.ts'],
    ['../main.ts', '../documents/sqlite.ts', '../tasks/redis/backend.ts', '../console/page.tsx'],
  ],
  [
    'http/example.ts',
    ['./routes/data.ts', '../analysis/payload.ts', '../documents/document-store.ts', '../lifecycle/index.ts'],
    ['../config.ts', '../server/run.ts', '../documents/sqlite.ts', '../telemetry/tracing/open-telemetry.ts'],
  ],
  [
    'http/routes/example.ts',
    ['../app.ts', '../../tasks/task-queue.ts', '../../telemetry/tracing/tracing.ts'],
    [
      '../../config.ts',
      '../../cluster/messages.ts',
      '../../tasks/sqlite.ts',
      '../../database/sqlite/file.ts',
    ],
  ],
  [
    'cluster/example.ts',
    ['../lifecycle/index.ts', '../runtime-settings/settings.ts'],
    ['../http/app.ts', '../config.ts'],
  ],
  [
    'documents/example.ts',
    ['./document-store.ts', '../database/errors.ts', '../telemetry/tracing/tracing.ts'],
    ['./sqlite.ts', '../database/sqlite/file.ts', '../http/problem.ts', '../tasks/task.ts', '../config.ts'],
  ],
  [
    'documents/schema/example.ts',
    ['./other.ts', '../../analysis/parse/input-error.ts'],
    ['../open.ts', '../sqlite.ts', '../../http/problem.ts', '../../database/open.ts', '../../config.ts'],
  ],
  [
    'documents/checking/example.ts',
    ['../schema/json-schema.ts', '../document-json.ts', '../../threads/thread-pool.ts'],
    ['../open.ts', '../sqlite.ts', '../../http/problem.ts', '../../config.ts'],
  ],
  ['documents/open.ts', ['./sqlite.ts', './postgres.ts'], ['../database/sqlite/file.ts']],
  [
    'documents/sqlite.ts',
    ['./document-store.ts', '../database/sqlite/file.ts'],
    ['./postgres.ts', '../database/postgres/pool.ts'],
  ],
  [
    'documents/postgres.ts',
    ['./document-store.ts', '../database/postgres/pool.ts'],
    ['./sqlite.ts', '../database/sqlite/file.ts'],
  ],
  [
    'tasks/example.ts',
    ['./task-queue.ts', '../database/errors.ts', '../analysis/payload.ts'],
    [
      '../database/redis/connection.ts',
      './sqlite.ts',
      './redis/queue.ts',
      '../http/problem.ts',
      '../documents/open.ts',
      '../lifecycle/index.ts',
    ],
  ],
  [
    'tasks/kinds/example.ts',
    ['../task-queue.ts', './kind.ts', '../../analysis/payload.ts'],
    ['../sqlite.ts', '../open.ts', '../../http/problem.ts', '../../server/run.ts', '../../config.ts'],
  ],
  ['tasks/open.ts', ['./sqlite.ts', './redis/queue.ts'], ['../database/sqlite/file.ts', '../config.ts']],
  ['tasks/sqlite.ts', ['../database/sqlite/file.ts'], ['./redis/queue.ts', '../database/postgres/pool.ts']],
  [
    'tasks/redis/example.ts',
    ['../task-queue.ts', '../batcher.ts', '../../database/errors.ts', '../../database/redis/connection.ts'],
    ['../sqlite.ts', '../open.ts', '../../http/problem.ts', '../../config.ts'],
  ],
  ['database/example.ts', ['./errors.ts'], ['./sqlite/file.ts', '../telemetry/log/log.ts', '../config.ts']],
  ['database/open.ts', ['./sqlite/file.ts', './postgres/pool.ts'], ['../documents/open.ts']],
  [
    'database/sqlite/example.ts',
    ['../errors.ts', './file.ts', '../../threads/thread-pool.ts'],
    ['../postgres/pool.ts', '../../config.ts'],
  ],
  ['database/postgres/example.ts', ['../errors.ts', './pool.ts'], ['../sqlite/file.ts', '../../config.ts']],
  [
    'database/redis/example.ts',
    ['../errors.ts', './script.ts'],
    ['../sqlite/file.ts', '../postgres/pool.ts', '../../config.ts'],
  ],
  [
    'analysis/example.ts',
    ['./numeric/numeric.ts'],
    ['../http/app.ts', '../tasks/task.ts', '../lifecycle/index.ts'],
  ],
  [
    'analysis/pool/example.ts',
    ['../payload.ts', '../../threads/thread-pool.ts'],
    ['../../http/problem.ts', '../../tasks/task.ts'],
  ],
  ['threads/example.ts', ['./fair-queue.ts'], ['../analysis/payload.ts', '../config.ts']],
  ['runtime-settings/example.ts', ['../telemetry/log/log.ts'], ['../config.ts', '../lifecycle/index.ts']],
  ['lifecycle/example.ts', ['./clock.ts', 'hono'], ['../telemetry/log/log.ts', '../config.ts']],
  [
    'rate-limit/example.ts',
    ['./rate.ts', '../database/redis/connection.ts'],
    ['../http/app.ts', '../telemetry/log/log.ts', '../database/open.ts', '../database/postgres/pool.ts'],
  ],
  [
    'telemetry/log/example.ts',
    ['./buffered-writer.ts'],
    ['../metrics/metrics.ts', '../../lifecycle/index.ts'],
  ],
  ['telemetry/metrics/example.ts', ['./metrics.ts'], ['../log/log.ts', '../../http/app.ts']],
  ['telemetry/tracing/example.ts', ['./tracing.ts'], ['../log/log.ts', '../../http/app.ts']],
  [
    'console/example.ts',
    ['./tasks/task-list.tsx', '../http/app.ts', 'react'],
    ['../config.ts', '../server/console.ts', '../tasks/task.ts', '../http/respond.ts'],
  ],
  [
    'console/tasks/example.ts',
    ['../api/client.ts', '../../http/app.ts', '../../http/routes/task-json.ts'],
    ['../../config.ts', '../../tasks/task.ts', '../documents/list.tsx', '../../http/routes/tasks.ts'],
  ],
  // Type imports count too.
  ['cycles/one.ts', [], ['./other.ts']],
  ['cycles/other.ts', [], ['./one.ts']],
]

interface Report {
  readonly diagnostics: readonly {
    readonly location: { readonly path: string; readonly start: { readonly line: number } }
  }[]
}

/** Runs the linter's import rules on a folder. Returns each violation as `src/path:line`. */
async function lintImports(folder: string): Promise<string[]> {
  const rules = ['--only=style/noRestrictedImports', '--only=suspicious/noImportCycles']
  const options = ['--vcs-enabled=false', '--max-diagnostics=none', '--reporter=json']
  const { stdout } = await runCommand([...biome, 'lint', ...rules, ...options, 'src'], { cwd: folder })
  const { diagnostics } = JSON.parse(stdout) as Report
  return diagnostics.map(({ location: { path, start } }) => `${path}:${start.line}`)
}

describe.skipIf(!haveBiome)('an import', () => {
  let complaints: string[]
  beforeAll(async () => {
    const folder = await mkdtemp(join(tmpdir(), 'tally-architecture-'))
    try {
      await cp(join(root, 'biome.json'), join(folder, 'biome.json'))
      for (const [path, allowed, forbidden] of imports) {
        const lines = [...allowed, ...forbidden].map(
          (from, i) => `export type { T as T${i} } from '${from}'\n`,
        )
        await Bun.write(join(folder, 'src', path), lines.join(''))
      }
      complaints = await lintImports(folder)
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  })

  for (const [path, allowed, forbidden] of imports)
    for (const [i, from] of [...allowed, ...forbidden].entries()) {
      const isForbidden = i >= allowed.length
      test(`in ${path} from ${from} is ${isForbidden ? 'forbidden' : 'allowed'}`, () => {
        expect(complaints.includes(`src/${path}:${i + 1}`)).toBe(isForbidden)
      })
    }
})

test('only programs read the environment', async () => {
  const readers = [
    'src/healthcheck.ts',
    'src/main.ts',
    'src/migrate.ts',
    // Names a variable of the code that it generates.
    'src/server/build-console.ts',
    // Passes its environment to the processes that it starts.
    'src/server/supervisor.ts',
    'src/worker.ts',
  ]
  const found: string[] = []
  for await (const path of new Bun.Glob('src/**/*.{ts,tsx}').scan(root))
    if (/process\.env|Bun\.env|import\.meta\.env/.test(await Bun.file(root + path).text())) found.push(path)
  expect(found.sort()).toEqual(readers)
})

/**
 * `bun bench/image-forms.ts`: compares two forms of the program in an image. The bundle, on a base that has Bun, as in
 * the Dockerfile; and an executable of Bun's compiler, on a base that has only glibc. Prints a table: what a node pulls
 * for each release, what it pulls for the first one, the start, the memory at rest and the CPU time of a small request.
 *
 * The base is made of this machine's files, as deploy/docker/base.sh does, so nothing is pulled.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { tableOf } from '../tools/markdown.ts'
import { moveToLoadCore } from './cores.ts'
import { describeMachine } from './machine.ts'
import { measureAtRest } from './memory.ts'
import { buildProductionBundle } from './production-bundle.ts'
import { measure } from './rounds.ts'
import { measureStarts } from './start.ts'
import { spread } from './statistics.ts'
import { summarize } from './summary.ts'
import { micros } from './table.ts'
import type { Target } from './targets.ts'
import { payloadWorkloads } from './workloads.ts'

const root = new URL('..', import.meta.url).pathname
const starts = 21
const rests = 5
const plan = { rounds: 21, windowMs: 400, warmUpMs: 1_500 }

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))

await main()

async function main(): Promise<void> {
  const machine = describeMachine()
  const work = await mkdtemp(join(tmpdir(), 'tally-forms-'))
  try {
    const bundle = { ...(await buildProductionBundle(join(work, 'app'))), name: 'bundle on Bun', exact: true }
    const compiled: Target = { ...bundle, ...(await compile(join(work, 'tally'))) }
    const libraries = await librariesOf(process.execPath)
    const sizes = new Map([
      [bundle.name, await pulledMegabytes([join(work, 'app')], [process.execPath, ...libraries])],
      [compiled.name, await pulledMegabytes([join(work, 'tally')], await librariesOf(join(work, 'tally')))],
    ])
    moveToLoadCore()
    console.log(await compareForms([bundle, compiled], sizes))
    console.log(
      `\nMedians of ${starts} starts, ${rests} processes at rest and ${plan.rounds} windows of ${plan.windowMs} ms, in turns. Bun ` +
        `${machine.bun}, ${machine.cpu}, load average at start ${machine.loadAverage.toFixed(2)}.`,
    )
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

/** Compiles the server and its threads into one executable, with bytecode, without the console. */
async function compile(outfile: string): Promise<Pick<Target, 'name' | 'command'>> {
  await Bun.build({
    entrypoints: [
      'main',
      'server/analysis-worker',
      'documents/checking/document-worker',
      'database/sqlite/checkpoint-worker',
    ].map((name) => `${root}src/${name}.ts`),
    target: 'bun',
    format: 'esm',
    bytecode: true,
    minify: { syntax: true, whitespace: true },
    compile: { outfile },
  })
  return { name: 'executable on glibc', command: [outfile] }
}

/** The shared libraries of a program. */
async function librariesOf(program: string): Promise<string[]> {
  return (await Bun.$`ldd ${program}`.text()).match(/\/\S+/g) ?? []
}

/** Compressed sizes of the application's layer and of the base, in MB. */
async function pulledMegabytes(application: readonly string[], base: readonly string[]) {
  return { release: await compressedMegabytes(application), base: await compressedMegabytes(base) }
}

async function compressedMegabytes(paths: readonly string[]): Promise<number> {
  const bytes = await Bun.$`tar --create --dereference --absolute-names ${paths} | gzip -6 | wc -c`.text()
  return Number(bytes) / 1e6
}

async function compareForms(
  targets: readonly [Target, Target],
  sizes: ReadonlyMap<string, { release: number; base: number }>,
): Promise<string> {
  const progress = (message: string): void => void process.stderr.write(`${message}\n`)
  const startTimes = await measureStarts(targets, starts, progress)
  const atRest = new Map<string, number[]>(targets.map(({ name }) => [name, []]))
  for (let round = 0; round < rests; round++)
    for (const target of targets) atRest.get(target.name)?.push(await measureAtRest(target))
  const [small] = payloadWorkloads()
  const requests = summarize(await measure(targets, small!, plan, progress), targets[0].name)

  const rows = targets.map(({ name }) => {
    const { release, base } = sizes.get(name)!
    const figures = requests.find(({ target }) => target === name)?.figures
    const ms = startTimes.find(({ target }) => target === name)?.ms?.median
    if (figures === undefined || ms === undefined) throw new Error(`${name} was not measured`)
    return [
      name,
      `${release.toFixed(1)} MB`,
      `${(release + base).toFixed(1)} MB`,
      `${ms.toFixed(0)} ms`,
      `${(spread(atRest.get(name)!).median / 1e6).toFixed(1)} MB`,
      micros(figures.cpuMicrosPerRequest),
      Math.round(figures.requestsPerSecond).toLocaleString('en'),
    ]
  })
  return tableOf(
    [
      'form',
      'pulled per release',
      'pulled first',
      'start',
      'memory at rest',
      'CPU per small request',
      'requests/s',
    ],
    rows,
  )
}

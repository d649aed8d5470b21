import { existsSync } from 'node:fs'
import { tableOf } from '../tools/markdown.ts'
import { moveToLoadCore } from './cores.ts'
import { describeMachine } from './machine.ts'
import { measureAtRest } from './memory.ts'
import { buildProductionBundle } from './production-bundle.ts'
import { type Measurement, measure, type Plan } from './rounds.ts'
import { measureStarts } from './start.ts'
import { type Spread, spread } from './statistics.ts'
import { steadyRounds } from './steady-rounds.ts'
import { summarize } from './summary.ts'
import { micros } from './table.ts'
import { inImage, type Target } from './targets.ts'
import { getIndex, payloadWorkloads, postJson, type Workload } from './workloads.ts'

/**
 * `BEFORE=<folder> bun bench/compare.ts`: compares this build with that of another checkout, whose dependencies must be
 * installed. Each checkout's own Dockerfile step builds its bundle; windows alternate between the two. `ROWS=small,data`
 * selects rows; `QUICK=1` only shows that it works. Without BEFORE, measures only the rows that need this build alone.
 */

/** One row: two targets under one workload. The ratio is CPU time per request, second over first. */
interface Comparison {
  readonly name: string
  readonly title: string
  readonly targets: readonly [Target, Target]
  readonly workload: Workload
}

/** The result of a row, in the row's unit. */
interface Result {
  readonly name: string
  readonly title: string
  readonly before?: string
  readonly after?: string
  readonly ratio?: Spread
  /** The median ratio of each pair of processes; their spread is the random variation between starts. */
  readonly pairs?: readonly number[]
  /** The lower of the servers' CPU shares. Well below 1, other programs took the core and the row is unreliable. */
  readonly busy?: number
  readonly notes: readonly string[]
  readonly measurements?: readonly Measurement[]
}

interface Effort {
  /** Fresh pairs of processes per row: two starts of one program differ by a percent or two. */
  readonly pairs: number
  readonly short: Plan
  readonly long: Plan
  readonly starts: number
  readonly rests: number
}

const efforts: Record<'full' | 'quick', Effort> = {
  full: {
    pairs: 5,
    short: { rounds: 12, windowMs: 400, warmUpMs: 1_500 },
    long: { rounds: 4, windowMs: 1_200, warmUpMs: 1_500 },
    starts: 21,
    rests: 7,
  },
  quick: {
    pairs: 2,
    short: { rounds: 4, windowMs: 300, warmUpMs: 600 },
    long: { rounds: 2, windowMs: 600, warmUpMs: 600 },
    starts: 5,
    rests: 2,
  },
}
const effort = efforts[process.env.QUICK === '1' ? 'quick' : 'full']
const reportBase = 'reports/bench/compare'

const key = 'tally_benchmark'
const keyHash = new Bun.CryptoHasher('sha256').update(key).digest('hex')
const smallBody = '{"numbers":[1,2,3,4,5],"text":"Sample text for analysis"}'
const [small, medium, large, huge] = payloadWorkloads() as [Workload, Workload, Workload, Workload]

// Databases in memory: a busy disk would change how many writes share a commit.
if (existsSync('/dev/shm')) process.env.TMPDIR = '/dev/shm'

// The 'exit' event stops the child processes; a signal alone does not emit it.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))

const began = performance.now()
const progress = (message: string): void =>
  void process.stderr.write(`${((performance.now() - began) / 1e3).toFixed(0).padStart(5)} s  ${message}\n`)

progress('building the bundles')
const after = { ...(await buildProductionBundle()), name: 'after', exact: true }
const before = process.env.BEFORE
  ? {
      ...(await buildProductionBundle(
        new URL('../dist/bench/before', import.meta.url).pathname,
        process.env.BEFORE,
      )),
      name: 'before',
      exact: true,
    }
  : undefined
const machine = describeMachine()
moveToLoadCore()

const selected = process.env.ROWS?.split(',').map((name) => name.trim())
const isSelected = (name: string): boolean => selected === undefined || selected.includes(name)
const results: Result[] = []
for (const comparison of comparisons().filter(({ name }) => isSelected(name))) {
  results.push(await compare(comparison))
  await save()
}
if (before && isSelected('start')) results.push(await compareStarts([before, after]))
if (before && isSelected('rest')) results.push(await compareAtRest([before, after]))
await save()

const unknown = selected?.filter((name) => !results.some((result) => result.name === name)) ?? []
if (unknown.length > 0) process.stderr.write(`not measured: ${unknown.join(', ')}\n`)
process.stdout.write(describe())
process.exit(unknown.length > 0 || results.some(({ ratio }) => ratio === undefined) ? 1 : 0)

function comparisons(): Comparison[] {
  const sideBySide = (
    name: string,
    title: string,
    workload: Workload,
    env: Readonly<Record<string, string>> = {},
  ): Comparison[] =>
    before ? [{ name, title, workload, targets: [withEnv(before, env), withEnv(after, env)] }] : []
  // Worker off: this row measures the request, not the task that runs later.
  const onlyQueued = { WORKER: 'off', QUEUE_MAX: '10000000' }
  return [
    ...sideBySide('small', 'small, default configuration', small),
    ...sideBySide('quiet', 'small, access log off', small, { ACCESS_LOG: 'false' }),
    ...sideBySide('rate', 'small, rate limit on', small, { RATE_LIMIT: '1000000/1s' }),
    ...sideBySide('keys', 'small, API keys on', withKey(small), { API_KEYS: `benchmark:${keyHash}` }),
    ...sideBySide('medium', 'medium', medium),
    ...sideBySide('large', 'large', large),
    ...sideBySide('huge', 'huge', huge),
    ...sideBySide('data', '`POST /data`, small document', created('/data', smallBody)),
    ...sideBySide(
      'tasks',
      '`POST /tasks`, small payload',
      created('/tasks', `{"payload":${smallBody}}`),
      onlyQueued,
    ),
    ...sideBySide('index', '`GET /`, JSON', getIndex()),
    {
      name: 'hono',
      title: 'small, `PAYLOAD_FAST_PATH=false` over the default, both from this build',
      workload: small,
      targets: [{ ...after, name: 'default' }, withEnv(after, { PAYLOAD_FAST_PATH: 'false' })],
    },
  ]
}

function withEnv(target: Target, env: Readonly<Record<string, string>>): Target {
  return inImage({ ...target, env }, target)
}

/** The same payload with an API key. Skips the check with invalid bodies, which carry no key. */
function withKey({ expected: _, ...workload }: Workload): Workload {
  return {
    ...workload,
    name: 'small with a key',
    request: postJson('/payload', smallBody, [`X-API-Key: ${key}`]),
  }
}

/** A small body that the service stores and answers with 201. */
function created(path: string, body: string): Workload {
  return {
    name: `POST ${path}`,
    title: path,
    request: postJson(path, body),
    bodyBytes: body.length,
    connections: 32,
    status: 201,
  }
}

async function compare({ name, title, targets, workload }: Comparison): Promise<Result> {
  const plan = workload.connections >= 16 ? effort.short : effort.long
  const measured: Measurement[][] = []
  for (let pair = 0; pair < effort.pairs; pair++) {
    progress(`${name}: pair ${pair + 1} of ${effort.pairs}`)
    const order = pair % 2 === 0 ? targets : targets.toReversed()
    const measurements = await measure(order, workload, plan, () => {})
    measured.push(pair % 2 === 0 ? measurements : measurements.toReversed())
  }
  const { pairs, notes } = steadyRounds(measured)
  const summary = summarize(merge(pairs), targets[0].name)
  for (const row of summary) {
    notes.push(...row.notes.map((note) => `${row.target}: ${note}`))
    if (row.rejected !== undefined) notes.push(`${row.target} rejected: ${row.rejected}`)
  }
  const [first, second] = summary.map(({ figures }) => figures)
  if (!first || !second?.ratio) return { name, title, notes }
  return {
    name,
    title,
    before: micros(first.cpuMicrosPerRequest),
    after: micros(second.cpuMicrosPerRequest),
    ratio: second.ratio,
    pairs: pairs.map((pair) => summarize(pair, targets[0].name)[1]?.figures?.ratio?.median ?? Number.NaN),
    busy: Math.min(first.serverBusy, second.serverBusy),
    notes,
    measurements: merge(measured),
  }
}

/** Joins the windows of each target across all pairs of processes. */
function merge(pairs: readonly (readonly Measurement[])[]): Measurement[] {
  return [0, 1].map((index) => {
    const own = pairs.flatMap((pair) => pair[index] ?? [])
    const rejected = own.find((measurement) => measurement.rejected !== undefined)?.rejected
    return {
      target: own[0]?.target ?? '',
      windows: own.flatMap(({ windows }) => windows),
      notes: own.flatMap(({ notes }) => notes),
      ...(rejected === undefined ? {} : { rejected }),
    }
  })
}

async function compareStarts(targets: readonly [Target, Target]): Promise<Result> {
  const starts = await measureStarts(targets, effort.starts, progress)
  const title = 'start: exec to the first response from `/ready`'
  const [first, second] = starts.map(({ times }) => times)
  const notes = starts.flatMap(({ target, rejected }) =>
    rejected ? [`${target} rejected: ${rejected}`] : [],
  )
  if (!first || !second) return { name: 'start', title, notes }
  return resultOf('start', title, first, second, (ms) => `${ms.toFixed(1)} ms`)
}

async function compareAtRest(targets: readonly [Target, Target]): Promise<Result> {
  const bytes: [number[], number[]] = [[], []]
  for (let round = 0; round < effort.rests; round++) {
    progress(`memory at rest: round ${round + 1} of ${effort.rests}`)
    for (const index of round % 2 === 0 ? ([0, 1] as const) : ([1, 0] as const))
      bytes[index].push(await measureAtRest(targets[index]))
  }
  return resultOf('rest', 'memory at rest', ...bytes, (value) => `${(value / 1e6).toFixed(1)} MB`)
}

function resultOf(
  name: string,
  title: string,
  first: readonly number[],
  second: readonly number[],
  format: (value: number) => string,
): Result {
  return {
    name,
    title,
    before: format(spread(first).median),
    after: format(spread(second).median),
    ratio: spread(second.map((value, round) => value / first[round]!)),
    notes: [],
  }
}

function describe(): string {
  const figure = (value: number): string => value.toFixed(2)
  const table = tableOf(
    ['row', 'work', 'before', 'after', 'after / before', 'middle half', 'per pair of processes', 'busy'],
    results.map(({ name, title, before, after, ratio, pairs, busy }) => [
      name,
      title,
      before ?? '-',
      after ?? '-',
      ratio ? `**${figure(ratio.median)}**` : 'rejected',
      ratio ? `${figure(ratio.lowerQuartile)}–${figure(ratio.upperQuartile)}` : '-',
      pairs?.map(figure).join(' ') ?? '',
      busy === undefined ? '' : `${Math.round(busy * 100)} %`,
    ]),
  )
  const notes = results.flatMap((result) => result.notes.map((note) => `- ${result.name}: ${note}`))
  const { pairs, short, long } = effort
  const { bun, cpu, pinned, loadAverage } = machine
  return [
    table,
    ...notes,
    '',
    `CPU time per request, medians; ${pairs} pairs of fresh processes, ${short.rounds} alternating windows of ` +
      `${short.windowMs} ms each (large and huge: ${long.rounds} of ${long.windowMs} ms). Bun ${bun}, ${cpu}, ` +
      `${pinned ? 'servers and load pinned to one core each' : 'NOT pinned: figures are unreliable'}, ` +
      `load average at start ${loadAverage.toFixed(2)}, ${new Date().toISOString()}.\n`,
  ].join('\n')
}

/** Saves after every row, so that an interruption loses nothing. */
async function save(): Promise<void> {
  await Bun.write(`${reportBase}.json`, `${JSON.stringify({ machine, effort, results }, undefined, 2)}\n`)
  await Bun.write(`${reportBase}.md`, describe())
}

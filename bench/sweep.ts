/**
 * Cost of a request by payload size and by number of open connections: `bun bench/sweep.ts`, about 8 minutes; with
 * QUICK=1 about two. Draws both as SVG.
 */
import { moveToLoadCore } from './cores.ts'
import { describeMachine } from './machine.ts'
import { buildPeers, selectPeers } from './peers.ts'
import { type Panel, plot, type Series, type Tick } from './plot.ts'
import { buildProductionBundle } from './production-bundle.ts'
import { measure, type Plan } from './rounds.ts'
import { type Figures, type Row, summarize } from './summary.ts'
import { micros } from './table.ts'
import { bare, inImage, type Target, tally } from './targets.ts'
import { type Workload, workloadOfConnections, workloadOfNumbers } from './workloads.ts'

const full: Plan = { rounds: 4, windowMs: 500, warmUpMs: 1_500 }
const quick: Plan = { rounds: 1, windowMs: 200, warmUpMs: 200 }

const folder = 'reports/bench'
const numbers = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000]
const connections = [1, 10, 100, 1_000, 10_000]

/** All targets at one x value. */
interface Sample {
  readonly x: number
  readonly rows: readonly Row[]
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))

const isQuick = process.env.QUICK === '1'
const plan = isQuick ? quick : full
const progress = (message: string): void => void process.stderr.write(`${message}\n`)
const machine = describeMachine()
const date = new Date().toISOString()
const peers = await buildPeers(selectPeers(process.env), progress)
for (const peer of peers.leftOut) progress(`skipped: ${peer}`)
const image = inImage(tally, await buildProductionBundle())
moveToLoadCore()

const targets = [image, bare, ...peers.targets]
const bySize = await sweep(numbers, workloadOfNumbers, targets)
const byConnections = await sweep(connections, workloadOfConnections, targets)

const footnote =
  `${date.slice(0, 10)}, Bun ${machine.bun}, one core of ${machine.cpu.replaceAll('(R)', '')}; medians of ` +
  `${plan.rounds} interleaved rounds.`
await Bun.write(
  `${folder}/payload-size.svg`,
  plot('Cost of a request by payload size', sizePanels(bySize), footnote),
)
await Bun.write(
  `${folder}/connections.svg`,
  plot(
    'Cost of a small request by open connections',
    connectionPanels(byConnections),
    `${footnote} At most 32 requests in flight; connections take turns.`,
  ),
)
await Bun.write(
  `${folder}/sweep.json`,
  `${JSON.stringify({ date, machine, plan, bySize, byConnections }, undefined, 2)}\n`,
)
progress(`written to ${folder}/sweep.json, payload-size.svg and connections.svg`)
process.exit(0)

async function sweep(
  values: readonly number[],
  workloadOf: (value: number) => Workload,
  targets: readonly Target[],
): Promise<Sample[]> {
  const samples: Sample[] = []
  for (const x of values) {
    const rows = summarize(await measure(targets, workloadOf(x), plan, progress), bare.name)
    for (const { target, rejected } of rows) if (rejected) progress(`${target} rejected: ${rejected}`)
    samples.push({ x, rows })
  }
  return samples
}

function sizePanels(samples: readonly Sample[]): Panel[] {
  const xTicks = numbers.map((n): Tick => [n, n < 1e6 ? n.toLocaleString('en') : '1 M'])
  return [
    {
      title: 'CPU time per request',
      xLabel: 'numbers in the payload',
      xTicks,
      yTicks: [5, 10, 100, 1e3, 1e4, 1e5, 1e6].map((us): Tick => [us, timeText(us)]),
      isLogarithmicY: true,
      series: seriesOf(samples, ({ cpuMicrosPerRequest }) => cpuMicrosPerRequest),
    },
    {
      title: 'relative to bare (clipped at 6)',
      xLabel: 'numbers in the payload',
      xTicks,
      yTicks: [0, 1, 2, 3, 4, 5, 6].map((ratio): Tick => [ratio, String(ratio)]),
      isLogarithmicY: false,
      series: seriesOf(samples, ({ ratio }) => ratio?.median),
    },
  ]
}

function connectionPanels(samples: readonly Sample[]): Panel[] {
  const xTicks = connections.map((n): Tick => [n, n.toLocaleString('en')])
  return [
    {
      title: 'CPU time per request, µs',
      xLabel: 'open connections',
      xTicks,
      yTicks: [5, 10, 20, 50, 100, 200, 500].map((us): Tick => [us, String(us)]),
      isLogarithmicY: true,
      series: seriesOf(samples, ({ cpuMicrosPerRequest }) => cpuMicrosPerRequest),
    },
    {
      title: 'server memory, MiB',
      xLabel: 'open connections',
      xTicks,
      yTicks: [2, 8, 32, 128, 512].map((mib): Tick => [mib, mib.toLocaleString('en')]),
      isLogarithmicY: true,
      series: seriesOf(samples, ({ residentBytes }) => residentBytes / 2 ** 20),
    },
  ]
}

function timeText(us: number): string {
  return us < 1e6 ? micros(us).replace(/\.0+ /, ' ') : `${us / 1e6} s`
}

/** One curve per target, without the points where it was rejected. */
function seriesOf(samples: readonly Sample[], pick: (figures: Figures) => number | undefined): Series[] {
  return targets.map(({ name }) => ({
    name,
    points: samples.flatMap(({ x, rows }) => {
      const figures = rows.find(({ target }) => target === name)?.figures
      const y = figures && pick(figures)
      return y === undefined ? [] : [[x, y] as const]
    }),
  }))
}

import { startProgress } from '../tools/progress.ts'
import { type BesideHuge, findingsBeside, measureBesideHuge } from './beside-huge.ts'
import { chart } from './chart.ts'
import { moveToLoadCore } from './cores.ts'
import { judge } from './goals.ts'
import { describeMachine } from './machine.ts'
import { type MemoryUse, measureMemory, memoryFinding } from './memory.ts'
import { buildPeers, selectPeers } from './peers.ts'
import { type Plans, planFor, roundsOf } from './plans.ts'
import { buildProductionBundle } from './production-bundle.ts'
import { type Report, reportFile, type WorkloadReport } from './report.ts'
import { measure, type Plan } from './rounds.ts'
import { measureStarts, type StartTime } from './start.ts'
import { type Row, summarize } from './summary.ts'
import { goalTable, startTable, table } from './table.ts'
import { bare, constant, inImage, type Target, tally, tallyLogging, tallyTwice } from './targets.ts'
import { payloadWorkloads, type Workload } from './workloads.ts'

/** `make bench`: CPU time and memory of Tally and its peers, and the table of goals. QUICK=1: fewer rounds and peers. */

interface Effort {
  readonly plans: Plans
  readonly startRounds: number
  readonly besideHuge: { readonly windowMs: number; readonly rounds: number }
}

const full: Effort = {
  plans: {
    short: { rounds: 21, windowMs: 600, warmUpMs: 1_500 },
    long: { rounds: 7, windowMs: 1_500, warmUpMs: 1_500 },
  },
  startRounds: 21,
  besideHuge: { windowMs: 4_000, rounds: 3 },
}
const brief: Plan = { rounds: 3, windowMs: 400, warmUpMs: 500 }
const quick: Effort = {
  plans: { short: brief, long: brief },
  startRounds: 5,
  besideHuge: { windowMs: 2_000, rounds: 1 },
}

const chartFile = 'reports/bench/chart.svg'

// The 'exit' event stops the servers; a signal alone does not emit it.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))

const began = performance.now()
const isQuick = process.env.QUICK === '1'
// Redraws only between windows: this process also makes the load.
const {
  step,
  print,
  end: endProgress,
} = await startProgress(isQuick ? 'bench-quick' : 'bench', { redrawMs: 0 })
const { plans, startRounds, besideHuge } = isQuick ? quick : full
const date = new Date().toISOString()
const machine = describeMachine()
const peers = await buildPeers(selectPeers(process.env), step)
step('building the bundle of the image')
const bundled = await buildProductionBundle()
moveToLoadCore()

const image = inImage(tally, bundled)
const logging = [inImage(tallyLogging, bundled), ...peers.logging]
const requests = payloadWorkloads()
const report = {
  date,
  machine,
  plans,
  leftOut: peers.leftOut,
  workloads: [] as WorkloadReport[],
  processes: [] as Row[],
  starts: [] as StartTime[],
  besideHuge: [] as BesideHuge[],
  memory: [] as MemoryUse[],
  findings: [] as Report['findings'],
} satisfies Report

for (const workload of requests) {
  // A log line shows best where a request costs least.
  const logged = workload.name === 'small' ? logging : []
  const targets = [constant, bare, image, ...logged, ...peers.targets]
  report.workloads.push(await measureWorkload(targets, workload))
  await save()
}

// Twice the connections: each of the two processes gets as many as the single one above.
const doubled: Workload = { ...requests[0]!, name: 'two processes', connections: 64 }
// Twice the warm-up: each process gets only half of the requests that trigger compilation.
const longer: Plan = { ...plans.short, warmUpMs: 2 * plans.short.warmUpMs }
const processes = [image, inImage(tallyTwice, bundled)]
report.processes = summarize(await measure(processes, doubled, longer, step), image.name)
print(table('small: one process and two processes', report.processes))
await save()

const startTargets = [bare, bundled, ...peers.targets.filter(({ name }) => /^(axum|Hono)$/.test(name))]
report.starts = await measureStarts(startTargets, startRounds, step)
print(startTable('start: exec to the first response from /ready', report.starts))
await save()

const threaded = isQuick ? [] : peers.targets.filter(({ name }) => /^(axum|Go net\/http)$/.test(name))
for (const target of [image, bare, ...threaded]) {
  try {
    report.besideHuge.push(...(await measureBesideHuge([target], besideHuge, step)))
    report.memory.push(...(await measureMemory([target], step)))
  } catch (error) {
    print(`${target.name} beside huge payloads rejected: ${error instanceof Error ? error.message : error}`)
  }
}
report.findings = [
  ...findingsBeside(report.besideHuge, image.name),
  ...memoryFinding(report.memory, image.name, bare.name),
]
await save()
await endProgress(true)

print(goalTable(judge(report)))
for (const peer of peers.leftOut) print(`skipped: ${peer}`)
const pinning = machine.pinned
  ? 'servers and load pinned to one core each'
  : 'NOT pinned: figures are unreliable'
print(
  `Medians of ${roundsOf(plans)}; ${date}; Bun ${machine.bun}, ${machine.cores} cores of ` +
    `${machine.cpu}, ${pinning}; load average at start ${machine.loadAverage.toFixed(2)}; ${((performance.now() - began) / 1_000).toFixed(0)} s`,
)
print(`written to ${reportFile} and ${chartFile}`)
if (isQuick)
  print('QUICK=1 shows that the benchmark works. Its windows are too short for figures to compare.')

const rows = [...report.workloads.flatMap(({ rows }) => rows), ...report.processes, ...report.starts]
process.exit(rows.some(({ rejected }) => rejected !== undefined) ? 1 : 0)

/** Saves after every part, so that an interruption loses nothing. */
async function save(): Promise<void> {
  await Bun.write(reportFile, `${JSON.stringify({ ...report, goals: judge(report) }, undefined, 2)}\n`)
  await Bun.write(chartFile, chart(report))
}

async function measureWorkload(targets: readonly Target[], workload: Workload): Promise<WorkloadReport> {
  const { name, title, bodyBytes, connections } = workload
  const measurements = await measure(targets, workload, planFor(plans, workload), step)
  const rows = summarize(measurements, bare.name)
  print(table(`${name}: ${title}, ${connections} in flight`, rows))
  return { workload: name, title, bodyBytes, connections, rows, measurements }
}

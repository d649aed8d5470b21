import { moveToLoadCore } from './cores.ts'
import { describeMachine } from './machine.ts'
import { measure, type Plan } from './rounds.ts'
import { summarize } from './summary.ts'
import { table } from './table.ts'
import { baseline, targets } from './targets.ts'
import { payloadWorkloads } from './workloads.ts'

/** `bun run bench`: what POST /payload costs, small to huge, beside servers that do the same with less. */

const full: Plan = { rounds: 7, windowMs: 1_500, warmUpMs: 1_500 }
const quick: Plan = { rounds: 3, windowMs: 400, warmUpMs: 500 }

const reportFile = 'reports/bench/payload.json'

/** Also when it is interrupted the servers must go: they do at 'exit', which a signal alone does not bring. */
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))

const progress = (message: string): void => void process.stderr.write(`${message}\n`)

const plan = process.env.QUICK === '1' ? quick : full
const date = new Date().toISOString()
const machine = describeMachine()
moveToLoadCore()

const results = []
for (const workload of payloadWorkloads()) {
  const { name, title, bodyBytes, connections } = workload
  const measurements = await measure(targets, workload, plan, progress)
  const rows = summarize(measurements, baseline)
  results.push({ workload: name, title, bodyBytes, connections, rows, measurements })
  process.stdout.write(`${table(`${name}: ${title}, ${connections} at a time`, rows)}\n`)
}

const place = machine.pinned ? 'servers and load on a core each' : 'NOT pinned: figures are worth little'
process.stdout.write(
  `${plan.rounds} rounds of ${plan.windowMs} ms, medians; ${date}; Bun ${machine.bun}, ${machine.cores} cores of ` +
    `${machine.cpu}, ${place}; load average at the start ${machine.loadAverage.toFixed(2)}\n`,
)
await Bun.write(reportFile, `${JSON.stringify({ date, machine, plan, baseline, results }, undefined, 2)}\n`)
progress(`written to ${reportFile}`)

const rejected = results.some(({ rows }) => rows.some((row) => row.rejected !== undefined))
process.exit(rejected ? 1 : 0)

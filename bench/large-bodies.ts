import { findingsBeside, measureBesideHuge } from './beside-huge.ts'
import { moveToLoadCore } from './cores.ts'
import { describeMachine } from './machine.ts'
import { measureMemory, memoryFinding } from './memory.ts'
import { buildProductionBundle } from './production-bundle.ts'
import { largeBodiesFile } from './report.ts'
import { soak, soakFinding } from './soak.ts'
import { bare, inImage, tally } from './targets.ts'

/**
 * `bun run bench:large`: the effect of huge payloads on other requests and on memory. SOAK=30 adds a soak test of 30
 * minutes that checks for memory growth. QUICK=1: shorter windows.
 */

// The 'exit' event stops the servers; a signal alone does not emit it.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))

const progress = (message: string): void => void process.stderr.write(`${message}\n`)
const quick = process.env.QUICK === '1'
const soakMinutes = Number(process.env.SOAK ?? 0)

const date = new Date().toISOString()
const machine = describeMachine()
const image = inImage(tally, await buildProductionBundle())
moveToLoadCore()

const targets = [bare, image]
const beside = await measureBesideHuge(
  targets,
  quick ? { windowMs: 3_000, rounds: 1 } : { windowMs: 8_000, rounds: 3 },
  progress,
)
const memory = await measureMemory(targets, progress)
const soaked = soakMinutes > 0 ? await soak(image, soakMinutes, progress) : undefined
const findings = [
  ...findingsBeside(beside, image.name),
  ...memoryFinding(memory, image.name, bare.name),
  ...(soaked === undefined ? [] : [soakFinding(soaked)]),
]

for (const { row, figure, verdict, beside: others } of findings)
  process.stdout.write(`row ${row}: ${verdict}  ${figure}  [${others.join(', ')}]\n`)
await Bun.write(
  largeBodiesFile,
  `${JSON.stringify({ date, machine, findings, beside, memory, soak: soaked }, undefined, 2)}\n`,
)
progress(`written to ${largeBodiesFile}`)
process.exit(findings.every(({ verdict }) => verdict === 'met') ? 0 : 1)

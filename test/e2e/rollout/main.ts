/**
 * Rolls, scales and kills the instances of a platform under load, and counts the losses: `make rollout-test`, `make
 * rollout-test QUICK=1`. Needs haproxy, prometheus and k6 on the PATH; GUARDED=1 (keys, a rate and TLS at the
 * instances) also needs openssl.
 *
 * Exit codes: 0 if rolling and scaling lost nothing and the kill did; 2 if not; 1 if it could not run.
 */
import { mkdir, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { findK6 } from '../../../load/k6.ts'
import { startProgress } from '../../../tools/progress.ts'
import { renderHtml } from './report/html.ts'
import { renderText } from './report/text.ts'
import { type Run, runUnderLoad } from './run.ts'
import { killOne, rollAndScale } from './scenario.ts'
import { readRolloutSettings } from './settings.ts'
import { faultsOf, killFaults } from './verdict.ts'

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130))

// Not process.exitCode: a child process that still runs would keep this process alive.
process.exit(
  await main().catch((error: unknown) => {
    console.error(error)
    return 1
  }),
)

async function main(): Promise<number> {
  const settings = readRolloutSettings(process.env)
  const missing = ['haproxy', 'prometheus', ...(settings.guarded ? ['openssl'] : [])].filter(
    (name) => Bun.which(name) === null,
  )
  if (findK6(process.env, resolve(import.meta.dir, '../../..')) === null)
    missing.push('k6 (make load fetches it)')
  if (missing.length > 0) {
    console.error(`Not installed: ${missing.join(', ')}. On Debian: apt-get install haproxy prometheus`)
    return 1
  }
  const directory = resolve(settings.reportDirectory)
  await rm(directory, { recursive: true, force: true })
  await mkdir(directory, { recursive: true })

  const { sizes, connections, kill, seconds } = settings
  const progress = await startProgress(`rollout-test-${seconds}s`, {
    stepCount: sizes.length * connections.length + (kill ? 1 : 0),
  })
  const runs: { run: Run; faults: string[] }[] = []
  for (const size of sizes) {
    for (const connection of connections) {
      const name = `${connection}-${size}${settings.guarded ? '-guarded' : ''}`
      progress.print(`${name}: ${settings.rolls} rolls, 3 to 5, 5 to 2 ...`)
      progress.step(name)
      const run = await runUnderLoad({
        ...settings,
        name,
        connection,
        size,
        reportDirectory: join(directory, name),
        scenario: (platform, mark) => rollAndScale(platform, mark, settings.rolls),
      })
      runs.push({ run, faults: faultsOf(run) })
    }
  }
  if (kill) {
    progress.print('kill: one of three by SIGKILL ...')
    progress.step('kill')
    const run = await runUnderLoad({
      ...settings,
      name: 'kill',
      connection: 'reuse',
      // Big payloads, so that the instance certainly has one in flight; few, because speed does not matter here.
      size: '1mb',
      rate: 20,
      seconds: 6,
      reportDirectory: join(directory, 'kill'),
      scenario: killOne,
    })
    runs.push({ run, faults: killFaults(run) })
  }
  await progress.end(true)

  const text = renderText(settings.program, runs)
  await Promise.all([
    Bun.write(join(directory, 'rollout.json'), `${JSON.stringify({ settings, runs }, null, 2)}\n`),
    Bun.write(join(directory, 'rollout.txt'), text),
    Bun.write(join(directory, 'index.html'), renderHtml(settings.program, runs)),
  ])
  console.log(text)
  console.log(`Report: ${join(directory, 'index.html')}`)
  return runs.some(({ faults }) => faults.length > 0) ? 2 : 0
}

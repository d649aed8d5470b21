/**
 * The service with the shutdown that most have: at SIGTERM `server.stop()`, a wait for what is in flight,
 * exit. No readiness turned off, no window, no `Connection: close`. To be compared with, never to be run.
 */
import { parseConfig } from '../../../../src/config.ts'
import { createLifecycle, type DrainTarget } from '../../../../src/lifecycle/index.ts'
import { openLog } from '../../../../src/server/logging.ts'
import { startServer } from '../../../../src/server/server.ts'

const parsed = parseConfig(process.env)
if (!parsed.ok) throw new Error(parsed.problems.join('; '))
const log = openLog(parsed.config, { role: 'server', pid: process.pid })

// The server hands itself to the lifecycle to be drained; here it is taken and only stopped.
const lifecycle = createLifecycle()
const targets: DrainTarget[] = []
lifecycle.addTarget = (target) => {
  targets.push(target)
}
process.on('SIGTERM', async () => {
  await Promise.all(targets.map((target) => target.finish()))
  await log.log.flush()
  process.exit(0)
})

await startServer(lifecycle, parsed.config, log)

/**
 * The service with the usual shutdown: on SIGTERM it calls `server.stop()`, waits for requests in flight, and exits. It
 * leaves readiness on and has neither a drain window nor `Connection: close`. A control for comparison, not for use.
 */
import { parseConfig } from '../../../../src/config.ts'
import { createLifecycle, type DrainTarget } from '../../../../src/lifecycle/index.ts'
import { openLog } from '../../../../src/server/logging.ts'
import { startServer } from '../../../../src/server/server.ts'

const parsed = parseConfig(process.env)
if (!parsed.ok) throw new Error(parsed.problems.join('; '))
const log = openLog(parsed.config, { role: 'server', pid: process.pid })

// The server registers itself for draining; this intercepts it and only stops it.
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

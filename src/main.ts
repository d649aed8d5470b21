import { endWithSupervisor } from './cluster/parent-death.ts'
import { findWorkerNumber } from './cluster/worker-argument.ts'
import { run } from './server/run.ts'

const number = findWorkerNumber(process.argv)
const supervised = number !== undefined

// The server; with WEB_CONCURRENCY above 1 the supervisor of several servers, each of which is this program again.
run(process.env, {
  reads: 'server',
  identify: ({ WEB_CONCURRENCY }) =>
    WEB_CONCURRENCY > 1 && !supervised ? { role: 'supervisor' } : { role: 'server', process: number },
  async start(lifecycle, config, log) {
    if (config.WEB_CONCURRENCY > 1 && !supervised) {
      const { startSupervisor } = await import('./server/supervisor.ts')
      return startSupervisor(lifecycle, config, log.log)
    }
    const { startServer } = await import('./server/server.ts')
    return startServer(lifecycle, config, log, { supervised })
  },
})
// After the handler of SIGTERM, because the loss of the supervisor triggers a drain.
if (supervised) endWithSupervisor()

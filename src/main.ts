import { isWorkerProcess } from './cluster/worker-argument.ts'
import { run } from './server/run.ts'

// The server; with WEB_CONCURRENCY above 1 the supervisor of several servers, each of which is this program again.
run(process.env, async (lifecycle, config, log) => {
  const supervised = isWorkerProcess(process.argv)
  if (config.WEB_CONCURRENCY > 1 && !supervised) {
    const { startSupervisor } = await import('./server/supervisor.ts')
    return startSupervisor(lifecycle, config, log.log)
  }
  const { startServer } = await import('./server/server.ts')
  return startServer(lifecycle, config, log, { supervised })
})

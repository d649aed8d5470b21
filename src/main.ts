import { isMember } from './cluster/membership.ts'
import { run } from './server/run.ts'

// The server; with WEB_CONCURRENCY above 1 the supervisor of several servers, each of which is this program again.
run(process.env, async (lifecycle, config, log) => {
  const supervised = isMember(process.argv)
  if (config.WEB_CONCURRENCY > 1 && !supervised) {
    const { startProcesses } = await import('./server/supervisor.ts')
    return startProcesses(lifecycle, config, log.log)
  }
  const { startServer } = await import('./server/server.ts')
  return startServer(lifecycle, config, log, { supervised })
})

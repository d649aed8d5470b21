import { run } from './server/run.ts'

// The task worker, without a server for clients.
run(
  process.env,
  async (lifecycle, config, log) => {
    const { startWorker } = await import('./server/worker.ts')
    return startWorker(lifecycle, config, log)
  },
  'worker',
)

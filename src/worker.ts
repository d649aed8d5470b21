import { run } from './server/run.ts'

// The task worker, without a server for clients.
run(process.env, {
  reads: 'worker',
  identify: () => ({ role: 'worker' }),
  async start(lifecycle, config, log) {
    const { startWorker } = await import('./server/worker.ts')
    return startWorker(lifecycle, config, log)
  },
})

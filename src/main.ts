import { isWorkerProcess } from './cluster/worker-argument.ts'
import { createLifecycle, handleSignals } from './lifecycle/index.ts'
import type { Running } from './server/runtime-settings.ts'

// Signals first: whatever comes while the rest is loaded is heard, also as PID 1 of a container.
const lifecycle = createLifecycle()
let flushLog: () => Promise<void> = async () => {}
let onSigusr2: () => void = () => {}
handleSignals(lifecycle, { beforeExit: () => flushLog() })
process.on('SIGUSR2', () => onSigusr2())

// Not at once: when the program's own file has been run, Bun collects garbage before it looks at a socket for the first
// time. With all that a start leaves behind that took 9 ms, for which the first request had to wait.
setImmediate(start)

/** A function, for the bundle is CommonJS (tools/bundle.ts says why), which has no `await` at its top. */
async function start(): Promise<void> {
  // What a start runs it runs once: compiling that costs more than it saves, on a single core 22 of 77 ms.
  Bun.unsafe.setJITPolicy(100)
  const { parseConfig } = await import('./config.ts')
  const parsed = parseConfig(process.env)
  if (!parsed.ok) {
    console.error(`Tally cannot start, for its environment is wrong:\n  ${parsed.problems.join('\n  ')}`)
    // EX_CONFIG of sysexits.h: a supervisor need not try again.
    process.exit(78)
  }
  const { config } = parsed

  const { openLog } = await import('./server/logging.ts')
  const { toggleDebug } = await import('./server/runtime-settings.ts')
  const { log, sink } = openLog(config)
  flushLog = log.flush

  try {
    let running: Running
    if (config.WEB_CONCURRENCY > 1 && !isWorkerProcess(process.argv)) {
      const { startSupervisor } = await import('./server/supervisor.ts')
      running = await startSupervisor(lifecycle, config, log)
    } else {
      const { startServer } = await import('./server/server.ts')
      running = await startServer(lifecycle, config, { log, sink }, isWorkerProcess(process.argv))
      // A terminal that is closed, or a reload where there is nothing to roll: end, but as one should.
      process.on('SIGHUP', () => process.kill(process.pid, 'SIGTERM'))
    }
    onSigusr2 = () => void toggleDebug(running.live, config, log)
    Bun.unsafe.setJITPolicy(1)
  } catch (error) {
    log.error('cannot start', { error })
    // Closes what was opened before it failed.
    await lifecycle.shutdown('start-up failed', { exitCode: 1 })
    await log.flush()
    process.exit(1)
  }
}

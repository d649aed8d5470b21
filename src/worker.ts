import { createLifecycle, handleSignals } from './lifecycle/index.ts'

// Signals first: whatever comes while the rest is loaded is heard, also as PID 1 of a container.
const lifecycle = createLifecycle()
let flushLog: () => Promise<void> = async () => {}
let onSigusr2: () => void = () => {}
handleSignals(lifecycle, { beforeExit: () => flushLog() })
process.on('SIGUSR2', () => onSigusr2())

const { parseConfig } = await import('./config.ts')
const parsed = parseConfig(process.env)
if (!parsed.ok) {
  console.error(`The worker cannot start, for its environment is wrong:\n  ${parsed.problems.join('\n  ')}`)
  // EX_CONFIG of sysexits.h: a supervisor need not try again.
  process.exit(78)
}
const { config } = parsed

const { openLog } = await import('./server/logging.ts')
const { toggleDebug } = await import('./server/runtime-settings.ts')
const opened = openLog(config)
flushLog = opened.log.flush

try {
  const { startWorkerProcess } = await import('./server/worker.ts')
  const { live } = await startWorkerProcess(lifecycle, config, opened)
  onSigusr2 = () => void toggleDebug(live, config, opened.log)
} catch (error) {
  opened.log.error('cannot start', { error })
  // Closes what was opened before it failed.
  await lifecycle.shutdown('start-up failed', { exitCode: 1 })
  await opened.log.flush()
  process.exit(1)
}

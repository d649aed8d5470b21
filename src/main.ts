import { createLifecycle, handleSignals } from './lifecycle/index.ts'
import type { RunningServer } from './server.ts'

// Signals first: whatever comes while the rest is loaded is heard, also as PID 1 of a container.
const lifecycle = createLifecycle()
let server: RunningServer | undefined
handleSignals(lifecycle, { beforeExit: () => server?.flush() })

const { ConfigError, startServer } = await import('./server.ts')
try {
  server = await startServer(lifecycle, process.env)
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  // 78: EX_CONFIG of sysexits.h, so that a supervisor knows that trying again is of no use.
  process.exit(error instanceof ConfigError ? 78 : 1)
}

/**
 * The service with the usual keep-alive: it reuses a connection after a chunked request. A control for comparison, not
 * for use.
 */
import { parseConfig } from '../../../../src/config.ts'
import { createLifecycle, handleSignals } from '../../../../src/lifecycle/index.ts'
import { openLog } from '../../../../src/server/logging.ts'
import { startServer } from '../../../../src/server/server.ts'

const parsed = parseConfig(process.env)
if (!parsed.ok) throw new Error(parsed.problems.join('; '))
const log = openLog(parsed.config, { role: 'server', pid: process.pid })

// The service closes connections by this header; Bun reads the framing elsewhere.
const { has } = Headers.prototype
Object.defineProperty(Headers.prototype, 'has', {
  value(this: Headers, name: string) {
    return name !== 'transfer-encoding' && has.call(this, name)
  },
})

const lifecycle = createLifecycle()
handleSignals(lifecycle, { beforeExit: () => log.log.flush() })
await startServer(lifecycle, parsed.config, log)

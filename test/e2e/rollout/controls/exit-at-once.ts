/**
 * The service without a SIGTERM handler: it exits at once and loses requests in flight and unwritten log lines. A
 * control for comparison, not for use.
 */
import { parseConfig } from '../../../../src/config.ts'
import { createLifecycle } from '../../../../src/lifecycle/index.ts'
import { openLog } from '../../../../src/server/logging.ts'
import { startServer } from '../../../../src/server/server.ts'

const parsed = parseConfig(process.env)
if (!parsed.ok) throw new Error(parsed.problems.join('; '))
await startServer(
  createLifecycle(),
  parsed.config,
  openLog(parsed.config, { role: 'server', pid: process.pid }),
)

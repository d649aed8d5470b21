/**
 * The service as a program that does not know SIGTERM: gone at once, with whatever is in flight and what
 * of its log was not written yet. To be compared with, never to be run.
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

import type { Log, LogFields } from '../telemetry/log/log.ts'
import type { GroupReport, ProcessExit, ProcessId, RollOutcome } from './process-group.ts'

/** Logs the events of a group of processes. @param findPid also finds the pid of a process that has just ended */
export function logReport(
  log: Log,
  report: GroupReport,
  findPid: (id: ProcessId) => number | undefined,
): void {
  if (report.name === 'roll-postponed') {
    log.info('rolling restart queued, begins after the current start or restart')
    return
  }
  const process = { worker_pid: findPid(report.id), worker_process: report.number }
  switch (report.name) {
    case 'died':
      log.error('worker process exited, restarting', {
        ...process,
        ...describeExit(report.exit),
        delay_ms: report.delayMs,
      })
      return
    case 'start-failed':
      log.error('worker process failed to start, restarting', {
        ...process,
        ...describeExit(report.exit),
        delay_ms: report.delayMs,
      })
      return
    case 'leaving':
      log.error('worker process is shutting down by itself, replacing it', {
        ...process,
        delay_ms: report.delayMs,
      })
      return
    case 'failed-exit':
      log.warn('worker process exited with a failure', { ...process, ...describeExit(report.exit) })
      return
    case 'unkillable':
      log.error('worker process did not exit after SIGKILL, continuing without it', process)
      return
  }
}

/** Logs how a rolling restart ended: at `info` only when nothing was lost. */
export function logRollOutcome(log: Log, outcome: RollOutcome): void {
  const { died, killed, failedExits } = outcome
  const losses = { died, killed, failed_exits: failedExits }
  if (outcome.name === 'aborted') {
    const level = outcome.reason === 'shutting down' ? 'info' : 'error'
    log[level](`rolling restart aborted: ${outcome.reason}`, losses)
    return
  }
  const level = died + killed + failedExits === 0 ? 'info' : 'warn'
  log[level]('rolling restart finished', {
    processes: outcome.processes,
    duration_ms: Math.round(outcome.durationMs),
    ...(level === 'info' ? {} : losses),
  })
}

function describeExit(exit: ProcessExit | undefined): LogFields {
  return exit === undefined
    ? { cause: 'did not listen in time' }
    : { exit_code: exit.code, signal: exit.signal }
}

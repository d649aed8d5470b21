import type { Run } from './run.ts'

/** The violations of a rolling update as sentences. Empty if nothing was lost. */
export function faultsOf(run: Run): string[] {
  const { summary } = run.report
  const faults: string[] = []
  for (const { phase, lost, refused, slow } of run.phases) {
    if (lost > 0) faults.push(`${phase}: ${lost} lost`)
    if (refused > 0) faults.push(`${phase}: ${refused} refused`)
    if (slow > 0) faults.push(`${phase}: ${slow} answered after more than 1 s`)
  }
  if (summary.answered === 0) faults.push('nothing was answered')
  if (!run.inTime) faults.push('the load was over before everything was done: give it a longer DURATION')
  for (const { name, exitCode } of run.instances) {
    if (exitCode !== 0) faults.push(`${name} ended with ${exitCode}`)
  }
  return [...faults, ...sumFaults(run)]
}

/** Each witness's sum over the instances must equal the client's answered requests. */
function sumFaults({ instances, report: { summary } }: Run): string[] {
  const sum = (witness: 'client' | 'prometheus' | 'log'): number =>
    instances.reduce((total, instance) => total + instance[witness], 0)
  const answered = summary.answered
  const named = { client: 'by X-Served-By', prometheus: 'by Prometheus', log: 'by the access logs' } as const
  const faults: string[] = []
  for (const witness of ['client', 'prometheus', 'log'] as const) {
    if (sum(witness) !== answered)
      faults.push(`sum over the instances ${named[witness]}: ${sum(witness)}, answered ${answered}`)
  }
  for (const { name, client, prometheus, log } of instances) {
    if (client !== prometheus || client !== log)
      faults.push(`${name}: ${client} by the client, ${prometheus} by Prometheus, ${log} by its log`)
  }
  return faults
}

/** The killed instance must lose something, otherwise the test is blind. */
export function killFaults(run: Run): string[] {
  return run.report.summary.lost > 0 ? [] : ['SIGKILL lost nothing: this check cannot see a loss']
}

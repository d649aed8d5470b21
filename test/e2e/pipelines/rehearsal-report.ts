import { escapeCell, tableOf } from '../../../tools/markdown.ts'

/** One action of a pipeline, as recorded by tools/jenkinsfile/run.groovy. */
export interface PipelineEvent {
  readonly stage: string
  readonly sh?: string
  readonly code?: number
  readonly real?: boolean
  readonly seconds?: number
  readonly result?: string
  readonly failure?: string
}

/** One requirement and its result. */
export interface Check {
  readonly name: string
  readonly passed: boolean
  readonly seen: string
}

const steps = [
  ...[
    'make image',
    'make image-push',
    'make sbom',
    'make scan',
    'make sign',
    'make verify',
    'make deploy-image',
  ],
  ...['make deployed-conformance', 'make deployed-load'],
]

/** What the pipeline of a good image must show: every step ran, in this order, and succeeded. */
export function checkGood(events: readonly PipelineEvent[]): Check[] {
  return [
    ...inOrder(events, [...steps, 'make deployed-roll', 'make cluster-logs', 'make undeploy-build']),
    { name: 'the pipeline succeeds', passed: resultOf(events) === 'SUCCESS', seen: String(resultOf(events)) },
  ]
}

/** What the pipeline that rolls to a broken image must show: the roll fails, and the previous version serves again. */
export function checkBroken(events: readonly PipelineEvent[]): Check[] {
  const roll = events.find(({ sh }) => sh === 'make deployed-roll')
  const after = events.slice(roll === undefined ? events.length : events.indexOf(roll) + 1)
  return [
    ...inOrder(events, steps).map((check) => ({ ...check, name: `broken image: ${check.name}` })),
    {
      name: 'broken image: the rolling update fails',
      passed: roll?.real === true && roll.code !== 0,
      seen: `make deployed-roll ended with ${roll?.code}`,
    },
    ...inOrder(after, ['make rollback', 'make deployed-conformance', 'make undeploy-build']).map((check) => ({
      ...check,
      name: `broken image: afterwards ${check.name}`,
    })),
    {
      name: 'broken image: the pipeline fails',
      passed: resultOf(events) === 'FAILURE',
      seen: String(resultOf(events)),
    },
  ]
}

function inOrder(events: readonly PipelineEvent[], commands: readonly string[]): Check[] {
  let from = 0
  return commands.map((command) => {
    const at = events.findIndex((event, index) => index >= from && event.sh === command)
    const event = events[at]
    if (at >= 0) from = at + 1
    return {
      name: command,
      passed: event?.real === true && event.code === 0,
      seen: event === undefined ? 'not run' : `ended with ${event.code} after ${event.seconds?.toFixed(0)} s`,
    }
  })
}

function resultOf(events: readonly PipelineEvent[]): string | undefined {
  return events.findLast(({ stage, result }) => stage === 'pipeline' && result !== undefined)?.result
}

/** One report on both pipelines, in Markdown. */
export function renderReport({
  image,
  runs,
  checks,
}: {
  readonly image: string
  readonly runs: Readonly<Record<string, readonly PipelineEvent[]>>
  readonly checks: readonly Check[]
}): string {
  const failed = checks.filter(({ passed }) => !passed).length
  return [
    '# Pipeline rehearsal',
    '',
    `${failed === 0 ? 'Passed' : 'Failed'}: ${checks.length - failed} checks passed, ${failed} failed. Image: \`${image}\``,
    '',
    tableOf(
      ['check', '', 'seen'],
      checks.map(({ name, passed, seen }) => [name, passed ? 'ok' : 'FAILED', escapeCell(seen)]),
    ),
    '',
    ...Object.entries(runs).flatMap(([name, events]) => [
      `## ${name}`,
      '',
      tableOf(
        ['stage', 'command', 'exit code', 'seconds'],
        events
          .filter(({ sh }) => sh !== undefined)
          .map(({ stage, sh, code, real, seconds }) => [
            `${stage}`,
            `${sh}`,
            ...(real ? [`${code}`, `${seconds?.toFixed(0)}`] : ['skipped', '']),
          ]),
      ),
      '',
    ]),
  ].join('\n')
}

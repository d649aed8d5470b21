import type { Finding } from './finding.ts'
import type { Report } from './report.ts'
import type { Figures, Row } from './summary.ts'
import { loggingSuffix } from './targets.ts'

/** One line of the table of goals: the goal, the result and the peers' figures. */
export interface GoalLine extends Goal, Finding {}

interface Goal {
  /** Its row in the table of goals in docs/performance.md. */
  readonly row: number
  readonly work: string
  readonly goal: string
}

const notMeasured: Finding = { figure: '-', verdict: 'not measured', beside: [] }

/** Every goal with its result. */
export function judge(report: Report): GoalLine[] {
  return goals.map(({ find, ...goal }) => ({ ...goal, ...find(report) }))
}

/** In row order. CPU time per request is relative to bare. */
const goals: readonly (Goal & { find: (report: Report) => Finding })[] = [
  {
    row: 1,
    work: 'small: 5 numbers, 24 characters, access log off',
    goal: '≤ 1.10',
    find: (report) => cpuRatio(without(rowsOf(report, 'small'), isLogging), 'tally', 1.1),
  },
  {
    row: 2,
    work: 'small, with one JSON access-log line per request',
    goal: '≤ 1.18',
    find: (report) => cpuRatio(rowsOf(report, 'small').filter(isLogging), `tally${loggingSuffix}`, 1.18),
  },
  {
    row: 3,
    work: 'medium: 1,000 numbers, 2 KB text',
    goal: '≤ 1.06',
    find: (report) => cpuRatio(rowsOf(report, 'medium'), 'tally', 1.06),
  },
  {
    row: 4,
    work: 'large: 100,000 numbers, 100 KB text',
    goal: '≤ 1.10',
    find: (report) => cpuRatio(rowsOf(report, 'large'), 'tally', 1.1),
  },
  {
    row: 5,
    work: 'huge: 1,000,000 numbers, 18 MB: time of one request, bare = 1',
    goal: '≤ 1.15, faster than all peers',
    find: (report) => timeOfHuge(rowsOf(report, 'huge')),
  },
  {
    row: 6,
    work: 'GET /health while huge payloads follow one another',
    goal: 'p99 ≤ 9 ms, p50 ≤ 2 ms',
    find: found(6),
  },
  {
    row: 7,
    work: 'small payloads beside huge ones, two cores',
    goal: '≥ half of their throughput',
    find: found(7),
  },
  {
    row: 8,
    work: 'start: exec to the first 200 from /ready, bundled as in the image',
    goal: '≤ 60 ms',
    find: startTime,
  },
  {
    row: 9,
    work: 'memory: at rest; peak during a huge payload',
    goal: '≤ bare + 30 MB; ≤ 6 × the body',
    find: found(9),
  },
  {
    row: 10,
    work: 'soak, 30 minutes at half load',
    goal: 'last third’s memory within 5 % of the middle third’s',
    find: found(10),
  },
  {
    row: 11,
    work: 'WEB_CONCURRENCY=2: CPU per request, one process = 1',
    goal: '≤ 1.1',
    find: ({ processes }) => cpuRatio(processes.slice(1), processes[1]?.target ?? '', 1.1),
  },
]

/** Rows whose own measurement already judged them. */
function found(row: number): (report: Report) => Finding {
  return ({ findings }) => findings.find((finding) => finding.row === row) ?? notMeasured
}

function rowsOf(report: Report, name: string): readonly Row[] {
  return report.workloads.find(({ workload }) => workload === name)?.rows ?? []
}

function isLogging({ target }: Row): boolean {
  return target.endsWith(loggingSuffix)
}

function without(rows: readonly Row[], isUnwanted: (row: Row) => boolean): readonly Row[] {
  return rows.filter((row) => !isUnwanted(row))
}

/** Excludes constant, which computes nothing, and bare, which is 1 by definition. */
export function isPeer({ target }: Row): boolean {
  return !/^(constant|bare|tally)/.test(target)
}

function cpuRatio(rows: readonly Row[], target: string, limit: number): Finding {
  const ratio = ({ ratio }: Figures): number | undefined => ratio?.median
  const found = figureOf(rows, target, ratio)
  if (found === undefined) return notMeasured
  return {
    figure: found.toFixed(2),
    verdict: found <= limit ? 'met' : 'missed',
    beside: peersBeside(rows, ratio),
  }
}

function timeOfHuge(rows: readonly Row[]): Finding {
  const ratio = ({ timeRatio }: Figures): number | undefined => timeRatio?.median
  const found = figureOf(rows, 'tally', ratio)
  if (found === undefined) return notMeasured
  const ahead = rows.filter(isPeer).every(({ figures }) => !figures || found < (ratio(figures) ?? Infinity))
  return {
    figure: found.toFixed(2),
    verdict: found <= 1.15 && ahead ? 'met' : 'missed',
    beside: peersBeside(rows, ratio),
  }
}

function startTime({ starts }: Report): Finding {
  const found = starts.find(({ target }) => target.startsWith('tally'))?.ms?.median
  if (found === undefined) return notMeasured
  return {
    figure: `${found.toFixed(0)} ms`,
    verdict: found <= 60 ? 'met' : 'missed',
    beside: starts.flatMap(({ target, ms }) =>
      ms === undefined || target.startsWith('tally') ? [] : [`${target} ${ms.median.toFixed(0)} ms`],
    ),
  }
}

function figureOf(
  rows: readonly Row[],
  target: string,
  pick: (figures: Figures) => number | undefined,
): number | undefined {
  const figures = rows.find((row) => row.target === target)?.figures
  return figures && pick(figures)
}

/** The peers' figures, best first. */
function peersBeside(
  rows: readonly Row[],
  pick: (figures: Figures) => number | undefined,
): readonly string[] {
  return rows
    .filter(isPeer)
    .flatMap(({ target, figures }) => {
      const value = figures && pick(figures)
      return value === undefined ? [] : [{ name: target.replace(loggingSuffix, ''), value }]
    })
    .sort((a, b) => a.value - b.value)
    .map(({ name, value }) => `${name} ${value.toFixed(value < 10 ? 2 : 0)}`)
}

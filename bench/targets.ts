/** A server under measurement. Every one of them takes its port from `PORT` and has nothing else in common. */
export interface Target {
  readonly name: string
  readonly command: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** Whether it computes what it answers; otherwise nothing but the status is looked at. Default true. */
  readonly computes?: boolean
  /** Whether its sums are exact: then an answer may be off by one unit in the last place, and no more. */
  readonly exact?: boolean
}

/** What the access log adds to a target's name. */
export const loggingSuffix = ', access log'

const bun = process.execPath
const file = (path: string): string => new URL(path, import.meta.url).pathname
const tallyCommand = [bun, file('../src/main.ts')]

/** The target that the others are set against: its CPU time per request is 1. */
export const bare: Target = { name: 'bare', command: [bun, file('peers/bare.ts')] }

export const constant: Target = {
  name: 'constant',
  command: [bun, file('peers/constant.ts')],
  computes: false,
}

export const tally: Target = {
  name: 'tally',
  command: tallyCommand,
  env: { ACCESS_LOG: 'false' },
  exact: true,
}

export const tallyLogging: Target = {
  name: `tally${loggingSuffix}`,
  command: tallyCommand,
  env: { ACCESS_LOG: 'true' },
  exact: true,
}

/** Two server processes and their supervisor: the CPU time is that of all three. */
export const tallyTwice: Target = {
  name: 'tally, 2 processes',
  command: tallyCommand,
  env: { ACCESS_LOG: 'false', WEB_CONCURRENCY: '2' },
  exact: true,
}

/** The same target as the image runs it: from the bundle. */
export function inImage(target: Target, bundled: Target): Target {
  return { ...target, command: bundled.command, env: { ...bundled.env, ...target.env } }
}

/** A server under measurement. It must take its port from `PORT`. */
export interface Target {
  readonly name: string
  readonly command: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** Whether it computes its response; if false, only the status is checked. Default: true. */
  readonly computes?: boolean
  /** Whether its sums are exact: a figure may then be off by one unit in the last place. */
  readonly exact?: boolean
}

/** Name suffix of targets with an access log. */
export const loggingSuffix = ', access log'

const bun = process.execPath
const file = (path: string): string => new URL(path, import.meta.url).pathname
const tallyCommand = [bun, file('../src/main.ts')]

/** The baseline: its CPU time per request is 1. */
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

/** Two server processes and their supervisor; the CPU time includes all three. */
export const tallyTwice: Target = {
  name: 'tally, 2 processes',
  command: tallyCommand,
  env: { ACCESS_LOG: 'false', WEB_CONCURRENCY: '2' },
  exact: true,
}

/** The same target started from the bundle, as in the image. */
export function inImage(target: Target, bundled: Target): Target {
  return { ...target, command: bundled.command, env: { ...bundled.env, ...target.env } }
}

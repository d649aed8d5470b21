/** A server under measurement. Every one of them takes its port from `PORT` and has nothing else in common. */
export interface Target {
  readonly name: string
  readonly command: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** Whether it computes what it answers; otherwise nothing but the status is looked at. Default true. */
  readonly computes?: boolean
}

/** The target that the others are set against: its CPU time per request is 1. */
export const baseline = 'bare'

const bun = process.execPath
const file = (path: string): string => new URL(path, import.meta.url).pathname
const tally = [bun, file('../src/main.ts')]

/** To measure one more server, add it here. */
export const targets: readonly Target[] = [
  { name: 'constant', command: [bun, file('peers/constant.ts')], computes: false },
  { name: baseline, command: [bun, file('peers/bare.ts')] },
  { name: 'tally', command: tally, env: { ACCESS_LOG: 'false' } },
  { name: 'tally, access log', command: tally, env: { ACCESS_LOG: 'true' } },
]

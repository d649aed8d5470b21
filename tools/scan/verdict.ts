import { z } from 'zod'
import type { Vulnerability } from './osv.ts'

const allowlistSchema = z.array(
  z.strictObject({
    /** The advisory or one of its aliases. */
    id: z.string().min(1),
    /** Why it is harmless here, and who checked. */
    reason: z.string().min(20),
    /** The day on which the entry expires (YYYY-MM-DD), so that no entry is forgotten. */
    until: z.iso.date(),
  }),
)
export type Allowlist = z.infer<typeof allowlistSchema>

/** The findings, by their consequence. */
export interface Verdict {
  /** HIGH or CRITICAL, with a fix, and not in the allowlist. */
  readonly failing: readonly Vulnerability[]
  readonly allowed: readonly Vulnerability[]
  /** Below HIGH, or without a fix. */
  readonly noted: readonly Vulnerability[]
  /** Allowlist entries that have expired or match no finding. */
  readonly stale: readonly string[]
}

/** @throws ZodError if an entry lacks its reason or its end */
export function parseAllowlist(value: unknown): Allowlist {
  return allowlistSchema.parse(value)
}

/** Sorts the findings of a scan. */
export function judge(found: readonly Vulnerability[], allowlist: Allowlist, now: Date): Verdict {
  const today = now.toISOString().slice(0, 10)
  const inForce = allowlist.filter(({ until }) => until > today)
  const covers = ({ id }: Allowlist[number], each: Vulnerability): boolean =>
    each.id === id || each.aliases.includes(id)
  const serious = found.filter(
    ({ severity, fixedIn }) => (severity === 'HIGH' || severity === 'CRITICAL') && fixedIn.length > 0,
  )
  const allowed = serious.filter((each) => inForce.some((entry) => covers(entry, each)))
  return {
    failing: serious.filter((each) => !allowed.includes(each)),
    allowed,
    noted: found.filter((each) => !serious.includes(each)),
    stale: allowlist
      .filter((entry) => !inForce.includes(entry) || !found.some((each) => covers(entry, each)))
      .map(({ id }) => id),
  }
}

/** The verdict as log lines. */
export function renderVerdict({ failing, allowed, noted, stale }: Verdict): string {
  const line = ({ id, aliases, component, version, severity, fixedIn, summary }: Vulnerability): string =>
    `  ${severity} ${[id, ...aliases].join(', ')}: ${component} ${version}${fixedIn.length > 0 ? `, fixed in ${fixedIn.join(', ')}` : ', no fix yet'}. ${summary}`
  const list = (title: string, of: readonly Vulnerability[]): string[] =>
    of.length === 0 ? [] : [`${title}:`, ...of.map(line)]
  return [
    ...list('HIGH or CRITICAL with a fix', failing),
    ...list('Allowed until their date', allowed),
    ...list('Noted', noted),
    ...(stale.length === 0
      ? []
      : [`The allowlist has entries that are over or no longer needed: ${stale.join(', ')}`]),
    failing.length === 0
      ? 'No HIGH or CRITICAL that has a fix.'
      : `${failing.length} HIGH or CRITICAL with a fix: update them, or say in the allowlist why not.`,
  ].join('\n')
}

import { z } from 'zod'
import type { Vulnerability } from './osv.ts'

const allowlistSchema = z.array(
  z.strictObject({
    /** The advisory or one of its aliases. */
    id: z.string().min(1),
    /** Why it does no harm here, and who looked. */
    reason: z.string().min(20),
    /** The day from which it counts again (YYYY-MM-DD), so that nothing is forgotten. */
    until: z.iso.date(),
  }),
)
export type Allowlist = z.infer<typeof allowlistSchema>

/** The findings, by their consequence. */
export interface Verdict {
  /** HIGH or CRITICAL, with a fix, and not allowed. */
  readonly failing: readonly Vulnerability[]
  readonly allowed: readonly Vulnerability[]
  /** Less than HIGH, or nothing to update to. */
  readonly noted: readonly Vulnerability[]
  /** Entries of the allowlist that are over, or that nothing was found for. */
  readonly stale: readonly string[]
}

/** @throws ZodError when an entry lacks its reason or its end */
export function parseAllowlist(value: unknown): Allowlist {
  return allowlistSchema.parse(value)
}

/** Decides what a scan comes to. */
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

/** The verdict, as lines for a log. */
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

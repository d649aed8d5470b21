import { z } from 'zod'
import type { Component } from '../sbom/document.ts'
import { cvssBaseScore } from './cvss.ts'

/** No advisory source responds. This does not mean that there are no vulnerabilities. */
export class SourceUnreachable extends Error {
  override readonly name = 'SourceUnreachable'
}

export const severities = ['LOW', 'MEDIUM', 'HIGH', 'CRITICAL'] as const
export type Severity = (typeof severities)[number]

/** A vulnerability of one component. */
export interface Vulnerability {
  readonly id: string
  readonly aliases: readonly string[]
  readonly component: string
  readonly version: string
  readonly severity: Severity
  readonly summary: string
  /** The versions that fix it; empty without a fix. */
  readonly fixedIn: readonly string[]
}

const batchSchema = z.object({
  results: z.array(z.object({ vulns: z.array(z.object({ id: z.string() })).default([]) })),
})
const advisorySchema = z.object({
  id: z.string(),
  aliases: z.array(z.string()).default([]),
  summary: z.string().default(''),
  withdrawn: z.string().optional(),
  severity: z.array(z.object({ type: z.string(), score: z.string() })).default([]),
  database_specific: z.object({ severity: z.string().optional() }).optional(),
  affected: z
    .array(
      z.object({
        package: z.object({ ecosystem: z.string(), name: z.string() }).optional(),
        ranges: z
          .array(z.object({ events: z.array(z.object({ fixed: z.string().optional() })) }))
          .default([]),
      }),
    )
    .default([]),
})
type Advisory = z.infer<typeof advisorySchema>

/** Maximum number of queries in one request to OSV. */
const batchSize = 1_000
const timeoutMs = 30_000

interface Question {
  readonly package: { readonly ecosystem: string; readonly name: string }
  readonly version: string
}

/**
 * Queries an OSV server (https://google.github.io/osv.dev/api/) for the vulnerabilities of components.
 *
 * @param source the server's address
 * @throws SourceUnreachable if it does not respond, or not like OSV
 */
export async function findVulnerabilities(
  source: string,
  components: readonly Component[],
): Promise<Vulnerability[]> {
  const asked = components.flatMap((component) => {
    const question = questionOf(component)
    return question === undefined ? [] : [{ component, question }]
  })
  const found: Vulnerability[] = []
  const advisories = new Map<string, Advisory>()
  for (let from = 0; from < asked.length; from += batchSize) {
    const batch = asked.slice(from, from + batchSize)
    const { results } = await ask(`${source}/v1/querybatch`, batchSchema, {
      queries: batch.map(({ question }) => question),
    })
    for (const [index, { vulns }] of results.entries()) {
      const { component, question } = batch[index] as (typeof batch)[number]
      for (const { id } of vulns) {
        const advisory = advisories.get(id) ?? (await ask(`${source}/v1/vulns/${id}`, advisorySchema))
        advisories.set(id, advisory)
        if (advisory.withdrawn === undefined) found.push(vulnerabilityOf(advisory, component, question))
      }
    }
  }
  return found
}

function vulnerabilityOf(
  advisory: Advisory,
  component: Component,
  { package: own }: Question,
): Vulnerability {
  const fixedIn = advisory.affected
    .filter((each) => each.package?.ecosystem === own.ecosystem && each.package.name === own.name)
    .flatMap(({ ranges }) => ranges.flatMap(({ events }) => events.flatMap(({ fixed }) => fixed ?? [])))
  return {
    id: advisory.id,
    aliases: advisory.aliases,
    component: component.name,
    version: component.version,
    severity: severityOf(advisory),
    summary: advisory.summary,
    fixedIn: [...new Set(fixedIn)],
  }
}

/** An advisory with an unreadable rating counts as HIGH, so that it gets reviewed. */
function severityOf({ database_specific: specific, severity }: Advisory): Severity {
  const stated = specific?.severity?.toUpperCase().replace('MODERATE', 'MEDIUM')
  const known = severities.find((each) => each === stated)
  if (known !== undefined) return known
  const scores = severity.flatMap(({ score }) => cvssBaseScore(score) ?? [])
  if (scores.length === 0) return 'HIGH'
  const worst = Math.max(...scores)
  if (worst >= 9) return 'CRITICAL'
  if (worst >= 7) return 'HIGH'
  return worst >= 4 ? 'MEDIUM' : 'LOW'
}

/** Debian's advisories are filed by source package and release. */
function questionOf({ purl, name, version }: Component): Question | undefined {
  if (purl?.startsWith('pkg:npm/')) return { package: { ecosystem: 'npm', name }, version }
  if (!purl?.startsWith('pkg:deb/')) return undefined
  const qualifiers = new URLSearchParams(purl.split('?')[1])
  const release = /^debian-(\d+)/.exec(qualifiers.get('distro') ?? '')?.[1]
  const ecosystem = release === undefined ? 'Debian' : `Debian:${release}`
  return { package: { ecosystem, name: qualifiers.get('upstream') ?? name }, version }
}

async function ask<T>(url: string, schema: z.ZodType<T>, body?: object): Promise<T> {
  let response: Response
  try {
    response = await fetch(url, {
      signal: AbortSignal.timeout(timeoutMs),
      ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
    })
    if (response.ok) return schema.parse(await response.json())
  } catch (error) {
    throw new SourceUnreachable(`${url}: ${error instanceof Error ? error.message : String(error)}`)
  }
  throw new SourceUnreachable(`${url} answers ${response.status}`)
}

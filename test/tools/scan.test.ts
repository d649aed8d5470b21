import { expect, test } from 'bun:test'
import type { Component } from '../../tools/sbom/document.ts'
import { cvssBaseScore } from '../../tools/scan/cvss.ts'
import { findVulnerabilities, SourceUnreachable, type Vulnerability } from '../../tools/scan/osv.ts'
import { judge, parseAllowlist, renderVerdict } from '../../tools/scan/verdict.ts'

// The examples of the specification's documents, https://www.first.org/cvss/v3.1/examples.
test.each([
  ['CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H', 9.8],
  ['CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:C/C:L/I:L/A:N', 6.4],
  ['CVSS:3.1/AV:N/AC:H/PR:N/UI:R/S:U/C:L/I:N/A:N', 3.1],
  ['CVSS:3.0/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N', 6.1],
  ['CVSS:3.1/AV:L/AC:L/PR:H/UI:N/S:U/C:L/I:L/A:L', 4.2],
  ['CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H', 10],
  ['CVSS:3.1/AV:P/AC:H/PR:H/UI:R/S:U/C:N/I:N/A:N', 0],
])('the base score of %s is %d', (vector, score) => {
  expect(cvssBaseScore(vector)).toBe(score)
})

test('has no score for an unreadable vector', () => {
  expect(cvssBaseScore('CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N')).toBeUndefined()
  expect(cvssBaseScore('CVSS:3.1/AV:X/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H')).toBeUndefined()
})

const component = (purl: string, name: string, version: string): Component => ({
  type: 'library',
  'bom-ref': purl,
  purl,
  name,
  version,
})
const components = [
  component('pkg:npm/left@1.0.0', 'left', '1.0.0'),
  component('pkg:npm/right@2.0.0', 'right', '2.0.0'),
  component('pkg:deb/debian/libc6@2.36-9?arch=amd64&distro=debian-12&upstream=glibc', 'libc6', '2.36-9'),
]
const fixed = (ecosystem: string, name: string, version: string) => [
  { package: { ecosystem, name }, ranges: [{ events: [{ introduced: '0' }, { fixed: version }] }] },
]
const advisories: Record<string, object> = {
  'GHSA-1': {
    id: 'GHSA-1',
    aliases: ['CVE-2026-1'],
    summary: 'Left can be turned.',
    database_specific: { severity: 'CRITICAL' },
    affected: fixed('npm', 'left', '1.0.1'),
  },
  'GHSA-2': {
    id: 'GHSA-2',
    database_specific: { severity: 'MODERATE' },
    affected: fixed('npm', 'left', '1.1.0'),
  },
  'GHSA-3': { id: 'GHSA-3', withdrawn: '2026-01-01T00:00:00Z', affected: fixed('npm', 'left', '1.2.0') },
  'DEBIAN-CVE-4': {
    id: 'DEBIAN-CVE-4',
    severity: [{ type: 'CVSS_V3', score: 'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:N' }],
    affected: [
      { package: { ecosystem: 'Debian:12', name: 'glibc' }, ranges: [{ events: [{ introduced: '0' }] }] },
      ...fixed('Debian:11', 'glibc', '2.31-1'),
    ],
  },
  'GHSA-5': { id: 'GHSA-5', affected: fixed('npm', 'left', '3.0.0') },
}

/** A server that answers as OSV does, for these components. */
function startSource(): Bun.Server<undefined> {
  return Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    async fetch(request) {
      const { pathname } = new URL(request.url)
      if (pathname === '/v1/querybatch') {
        const { queries } = (await request.json()) as { queries: { package: { name: string } }[] }
        const known: Record<string, string[]> = {
          left: ['GHSA-1', 'GHSA-2', 'GHSA-3', 'GHSA-5'],
          glibc: ['DEBIAN-CVE-4'],
        }
        const answer = (name: string) => {
          const ids = known[name]
          return ids ? { vulns: ids.map((id) => ({ id, modified: '2026-01-01T00:00:00Z' })) } : {}
        }
        return Response.json({ results: queries.map((query) => answer(query.package.name)) })
      }
      const advisory = advisories[pathname.replace('/v1/vulns/', '')]
      return advisory ? Response.json(advisory) : new Response(null, { status: 404 })
    },
  })
}

test('finds the vulnerabilities of each component, with severity and fix', async () => {
  using source = startSource()
  const found = await findVulnerabilities(source.url.origin, components)
  expect(found.map(({ id, component, severity, fixedIn }) => [id, component, severity, fixedIn])).toEqual([
    ['GHSA-1', 'left', 'CRITICAL', ['1.0.1']],
    ['GHSA-2', 'left', 'MEDIUM', ['1.1.0']],
    // It has no rating.
    ['GHSA-5', 'left', 'HIGH', ['3.0.0']],
    // Fixed only in another release of Debian.
    ['DEBIAN-CVE-4', 'libc6', 'CRITICAL', []],
  ])
})

test('reports that nothing is known when no source answers', async () => {
  const source = startSource()
  await source.stop(true)
  await expect(findVulnerabilities(source.url.origin, components)).rejects.toThrow(SourceUnreachable)
  using other = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    fetch: () => new Response('no', { status: 403 }),
  })
  await expect(findVulnerabilities(other.url.origin, components)).rejects.toThrow('answers 403')
})

const vulnerability = (change: Partial<Vulnerability>): Vulnerability => ({
  id: 'GHSA-1',
  aliases: ['CVE-2026-1'],
  component: 'left',
  version: '1.0.0',
  severity: 'HIGH',
  summary: 'Left can be turned.',
  fixedIn: ['1.0.1'],
  ...change,
})
const now = new Date('2026-12-01T12:00:00Z')
const reason = 'The function is not called: looked at by A. Person'

test('fails on HIGH and CRITICAL with a fix, and notes the rest', () => {
  const found = [
    vulnerability({}),
    vulnerability({ id: 'GHSA-2', severity: 'CRITICAL' }),
    vulnerability({ id: 'GHSA-3', severity: 'MEDIUM' }),
    vulnerability({ id: 'GHSA-4', severity: 'CRITICAL', fixedIn: [] }),
  ]
  const { failing, noted } = judge(found, [], now)
  expect(failing.map(({ id }) => id)).toEqual(['GHSA-1', 'GHSA-2'])
  expect(noted.map(({ id }) => id)).toEqual(['GHSA-3', 'GHSA-4'])
})

test('accepts vulnerabilities in the allowlist, by any of their names, until the date', () => {
  const entry = { id: 'CVE-2026-1', reason, until: '2026-12-02' }
  expect(judge([vulnerability({})], [entry], now)).toMatchObject({ failing: [], stale: [] })
  const over = judge([vulnerability({})], [{ ...entry, until: '2026-12-01' }], now)
  expect(over).toMatchObject({ failing: [{ id: 'GHSA-1' }], stale: ['CVE-2026-1'] })
  expect(judge([], [entry], now).stale).toEqual(['CVE-2026-1'])
})

test('rejects an allowlist entry without a reason or an end', () => {
  expect(() => parseAllowlist([{ id: 'CVE-2026-1', until: '2026-12-02' }])).toThrow('reason')
  expect(() => parseAllowlist([{ id: 'CVE-2026-1', reason }])).toThrow('until')
  expect(parseAllowlist([{ id: 'CVE-2026-1', reason, until: '2026-12-02' }])).toHaveLength(1)
})

test('reports the failures, with the version that fixes each', () => {
  expect(renderVerdict(judge([vulnerability({})], [], now))).toBe(
    [
      'HIGH or CRITICAL with a fix:',
      '  HIGH GHSA-1, CVE-2026-1: left 1.0.0, fixed in 1.0.1. Left can be turned.',
      '1 HIGH or CRITICAL with a fix: update them, or say in the allowlist why not.',
    ].join('\n'),
  )
})

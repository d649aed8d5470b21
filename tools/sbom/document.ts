import type { DebianPackage } from './dpkg.ts'
import type { LockedPackage } from './lock.ts'

/** A component of the image, as CycloneDX describes it. */
export interface Component {
  readonly type: 'application' | 'library' | 'platform'
  readonly 'bom-ref': string
  readonly name: string
  readonly version: string
  readonly purl?: string
  readonly hashes?: readonly { readonly alg: 'SHA-512'; readonly content: string }[]
  readonly properties?: readonly { readonly name: string; readonly value: string }[]
}

/** A software bill of materials: CycloneDX 1.6, https://cyclonedx.org/docs/1.6/json/. */
export interface Sbom {
  readonly bomFormat: 'CycloneDX'
  readonly specVersion: '1.6'
  readonly serialNumber: string
  readonly version: 1
  readonly metadata: { readonly timestamp: string; readonly component: Component }
  readonly components: readonly Component[]
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[]
}

export interface Contents {
  readonly name: string
  readonly version: string
  readonly bunVersion: string
  readonly packages: readonly LockedPackage[]
  readonly debian: readonly DebianPackage[]
  /** The described image, by digest. */
  readonly image?: string
  /** The time of the commit, so that the same contents give the same document. */
  readonly madeAt: Date
}

/** Describes an image's contents. The same contents give the same document, including its serial number. */
export function buildSbom({ name, version, bunVersion, packages, debian, image, madeAt }: Contents): Sbom {
  const refs = new Map(packages.map((each) => [each.path, npmRef(each)]))
  const npm = new Map(packages.map((each) => [npmRef(each), npmComponent(each)]))
  const bun: Component = {
    type: 'platform',
    'bom-ref': `pkg:npm/bun@${bunVersion}`,
    name: 'bun',
    version: bunVersion,
    purl: `pkg:npm/bun@${bunVersion}`,
  }
  const components = [bun, ...npm.values(), ...debian.map(debianComponent)]
  const own: Component = {
    type: 'application',
    'bom-ref': `${name}@${version}`,
    name,
    version,
    ...(image === undefined ? {} : { properties: [{ name: 'tally:image', value: image }] }),
  }
  const needs = new Map<string, Set<string>>()
  for (const each of packages) {
    const targets = needs.get(npmRef(each)) ?? new Set()
    for (const path of each.dependencies) targets.add(refs.get(path) as string)
    needs.set(npmRef(each), targets)
  }
  const dependencies = [
    { ref: own['bom-ref'], dependsOn: components.map((each) => each['bom-ref']) },
    ...[...needs].map(([ref, targets]) => ({ ref, dependsOn: [...targets].sort() })),
  ]
  const body = {
    metadata: { timestamp: madeAt.toISOString().replace(/\.\d+/, ''), component: own },
    components,
    dependencies,
  }
  return {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    serialNumber: `urn:uuid:${uuidOf(JSON.stringify(body))}`,
    version: 1,
    ...body,
  }
}

/** https://github.com/package-url/purl-spec: the @ of a scope is escaped. */
function npmRef({ name, version }: LockedPackage): string {
  return `pkg:npm/${name.replace('@', '%40')}@${version}`
}

function npmComponent(each: LockedPackage): Component {
  const [algorithm, digest = ''] = each.integrity.split('-')
  if (algorithm !== 'sha512') throw new Error(`bun.lock has no SHA-512 of ${each.path}`)
  return {
    type: 'library',
    'bom-ref': npmRef(each),
    name: each.name,
    version: each.version,
    purl: npmRef(each),
    hashes: [{ alg: 'SHA-512', content: Buffer.from(digest, 'base64').toString('hex') }],
  }
}

function debianComponent({ name, version, architecture, distribution, source }: DebianPackage): Component {
  const qualifiers = [`arch=${architecture}`, `distro=${distribution}`]
  if (source !== undefined) qualifiers.push(`upstream=${source}`)
  const purl = `pkg:deb/debian/${name}@${encodeURIComponent(version)}?${qualifiers.join('&')}`
  return { type: 'library', 'bom-ref': purl, name, version, purl }
}

/** A UUID derived from a text, version 8 of RFC 9562. */
function uuidOf(text: string): string {
  const bytes = new Bun.CryptoHasher('sha256').update(text).digest().subarray(0, 16)
  bytes[6] = ((bytes[6] as number) & 0x0f) | 0x80
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

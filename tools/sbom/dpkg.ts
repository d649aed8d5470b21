import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'

/** A package of Debian or of a distribution derived from it. */
export interface DebianPackage {
  readonly name: string
  readonly version: string
  readonly architecture: string
  /** `debian-12`, as in advisories. */
  readonly distribution: string
  /** The source package, if its name differs: advisories use it. */
  readonly source?: string
}

/**
 * The packages in an image's file system: from one file, or from one file each in images without a package manager
 * (distroless). Sorted by name; may be empty.
 *
 * @param root folder with the image's files
 */
export async function parseDpkg(root: string): Promise<DebianPackage[]> {
  const distribution = await distributionOf(root)
  const single = join(root, 'var/lib/dpkg/status')
  const folder = join(root, 'var/lib/dpkg/status.d')
  const texts: string[] = []
  if (existsSync(single)) texts.push(await Bun.file(single).text())
  if (existsSync(folder)) {
    for (const name of await readdir(folder)) {
      // Each status file has a file with checksums beside it.
      if (!name.endsWith('.md5sums')) texts.push(await Bun.file(join(folder, name)).text())
    }
  }
  return texts
    .flatMap((text) => text.split(/\n\n+/))
    .flatMap((stanza) => parseStanza(stanza, distribution))
    .sort((one, other) => (one.name < other.name ? -1 : 1))
}

function parseStanza(stanza: string, distribution: string): DebianPackage[] {
  const field = (name: string): string | undefined =>
    new RegExp(`^${name}: (.*)$`, 'm').exec(stanza)?.[1]?.trim()
  const [name, version, status] = [field('Package'), field('Version'), field('Status')]
  if (name === undefined || version === undefined) return []
  // Removed, but its configuration remains.
  if (status !== undefined && !status.endsWith(' installed')) return []
  // `Source: glibc (2.36-9)` if its version differs.
  const source = field('Source')?.split(' ')[0]
  return [
    {
      name,
      version,
      architecture: field('Architecture') ?? 'all',
      distribution,
      ...(source === undefined || source === name ? {} : { source }),
    },
  ]
}

async function distributionOf(root: string): Promise<string> {
  for (const path of ['etc/os-release', 'usr/lib/os-release']) {
    const file = Bun.file(join(root, path))
    if (!(await file.exists())) continue
    const text = await file.text()
    const value = (name: string): string => new RegExp(`^${name}="?([^"\n]*)"?$`, 'm').exec(text)?.[1] ?? ''
    return `${value('ID') || 'debian'}-${value('VERSION_ID')}`
  }
  return 'debian'
}

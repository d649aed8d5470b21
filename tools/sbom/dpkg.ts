import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'

/** A package of Debian, or of what is made of it. */
export interface DebianPackage {
  readonly name: string
  readonly version: string
  readonly architecture: string
  /** `debian-12`, as advisories are filed. */
  readonly distribution: string
  /** The source package, when it has another name: advisories are filed by it. */
  readonly source?: string
}

/**
 * The packages that the file system of an image lists: in one file, or in a file each where there is no package
 * manager (distroless). Sorted by name; empty where there are none.
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
      // Beside each status are its checksums.
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
  // Removed, with its configuration left.
  if (status !== undefined && !status.endsWith(' installed')) return []
  // `Source: glibc (2.36-9)` where its version differs.
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

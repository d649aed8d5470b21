/**
 * Writes the contents of the image to reports/supply-chain/sbom.cdx.json (CycloneDX 1.6): the production dependencies
 * in bun.lock, Bun, and the Debian packages of the base of `IMAGE`, by default the last pushed image.
 *
 * An image contains bundles and no node_modules, so an image scanner finds no JavaScript packages. The lock file lists
 * them.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { buildSbom } from './sbom/document.ts'
import { type DebianPackage, parseDpkg } from './sbom/dpkg.ts'
import { productionPackages } from './sbom/lock.ts'

const { values } = parseArgs({
  options: { out: { type: 'string', default: 'reports/supply-chain/sbom.cdx.json' } },
})
const root = new URL('..', import.meta.url).pathname
const { packageManager, name, version } = await Bun.file(join(root, 'package.json')).json()
const image = process.env.IMAGE || (await lastPushed())
const sbom = buildSbom({
  name,
  version: process.env.VERSION || version,
  bunVersion: packageManager.replace('bun@', ''),
  packages: productionPackages(await Bun.file(join(root, 'bun.lock')).text()),
  debian: image ? await debianPackages(image).catch(failWith(`sbom: the image ${image} cannot be read`)) : [],
  ...(image ? { image } : {}),
  madeAt: new Date(Number(process.env.SOURCE_DATE_EPOCH ?? (await commitSeconds())) * 1_000),
})
await Bun.write(join(root, values.out), `${JSON.stringify(sbom, undefined, 2)}\n`)
const count = (type: string): number => sbom.components.filter(({ purl }) => purl?.startsWith(type)).length
console.log(
  `${values.out}: ${count('pkg:npm/')} packages of npm, ${count('pkg:deb/')} of Debian${image ? '' : ' (no IMAGE was named)'}`,
)

/** The Debian packages of an image. crane exports its file system, which needs no engine. */
async function debianPackages(reference: string): Promise<DebianPackage[]> {
  await succeed(['deploy/image/registry-tool.sh'])
  const folder = await mkdtemp(join(tmpdir(), 'tally-sbom-'))
  try {
    const tar = join(folder, 'image.tar')
    await succeed(['.tools/bin/crane', 'export', reference, tar])
    await mkdir(join(folder, 'root'))
    const unpack = ['tar', '--extract', '--file', tar, '--directory', join(folder, 'root'), '--wildcards']
    // A base without Debian's files, such as the one from base.sh, lacks these paths.
    await execute([
      ...unpack,
      'var/lib/dpkg/status',
      'var/lib/dpkg/status.d/*',
      'etc/os-release',
      'usr/lib/os-release',
    ])
    return await parseDpkg(join(folder, 'root'))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Ends the program with one message, such as for a registry that does not answer. */
function failWith(message: string) {
  return (error: Error): never => {
    console.error(`${message}: ${error.message}`)
    return process.exit(1)
  }
}

/** As recorded by deploy/image/push.sh. */
async function lastPushed(): Promise<string | undefined> {
  const note = Bun.file(join(root, 'reports/supply-chain/image'))
  return (await note.exists()) ? (await note.text()).trim() : undefined
}

async function commitSeconds(): Promise<string> {
  return await succeed(['git', 'log', '-1', '--format=%ct'])
}

async function succeed(command: string[]): Promise<string> {
  const { code, stdout, stderr } = await execute(command)
  if (code !== 0) throw new Error(`${command.join(' ')} ended with ${code}: ${stderr.trim()}`)
  return stdout.trim()
}

async function execute(command: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const child = Bun.spawn(command, { cwd: root, stdin: 'ignore', stdout: 'pipe', stderr: 'pipe' })
  const [stdout, stderr, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited])
  return { code, stdout, stderr }
}

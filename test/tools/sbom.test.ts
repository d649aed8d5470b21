import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildSbom } from '../../tools/sbom/document.ts'
import { parseDpkg } from '../../tools/sbom/dpkg.ts'
import { productionPackages } from '../../tools/sbom/lock.ts'
import { root } from '../support/root.ts'

const integrity = `sha512-${Buffer.alloc(64, 1).toString('base64')}`
const lock = `{
  "lockfileVersion": 2,
  "workspaces": { "": { "dependencies": { "left": "1.0.0", "@scope/one": "1.0.0" }, "devDependencies": { "right": "1.0.0" }, }, },
  "packages": {
    "left": ["left@1.0.0", "", { "dependencies": { "shared": "^2.0.0" }, "optionalDependencies": { "elsewhere": "1.0.0" } }, "${integrity}"],
    "@scope/one": ["@scope/one@1.0.0", "", { "dependencies": { "shared": "^1.0.0", "inner": "1.0.0" }, "peerDependencies": { "left": "*" } }, "${integrity}"],
    "right": ["right@1.0.0", "", { "dependencies": { "only-for-development": "1.0.0" } }, "${integrity}"],
    "only-for-development": ["only-for-development@1.0.0", "", {}, "${integrity}"],
    "shared": ["shared@2.0.0", "", {}, "${integrity}"],
    "@scope/one/shared": ["shared@1.0.0", "", {}, "${integrity}"],
    "@scope/one/inner": ["inner@1.0.0", "", { "dependencies": { "shared": "^1.0.0" } }, "${integrity}"],
  },
}`

describe('the packages of a lock file', () => {
  test('are those of production, each by its path', () => {
    const packages = productionPackages(lock)
    expect(packages.map(({ path, version }) => `${path} ${version}`)).toEqual([
      '@scope/one 1.0.0',
      '@scope/one/inner 1.0.0',
      '@scope/one/shared 1.0.0',
      'left 1.0.0',
      'shared 2.0.0',
    ])
    const inner = packages.find(({ path }) => path === '@scope/one/inner')
    expect(inner?.dependencies).toEqual(['@scope/one/shared'])
  })

  test('must be complete', () => {
    const without = lock.replace('"shared": ["shared@2', '"other": ["shared@2')
    expect(() => productionPackages(without)).toThrow('bun.lock has no shared, which left needs')
  })

  test('of this project are its dependencies without development tools', async () => {
    const { dependencies, devDependencies } = await Bun.file(join(root, 'package.json')).json()
    const names = productionPackages(await Bun.file(join(root, 'bun.lock')).text()).map(({ name }) => name)
    expect(names).toEqual(expect.arrayContaining(Object.keys(dependencies)))
    for (const name of Object.keys(devDependencies)) expect(names).not.toContain(name)
  })
})

describe('the packages of a base', () => {
  let folder = ''
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tally-dpkg-'))
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))

  test('are read from a file each, as in distroless images', async () => {
    const image = join(folder, 'distroless')
    await mkdir(join(image, 'var/lib/dpkg/status.d'), { recursive: true })
    await Bun.write(join(image, 'usr/lib/os-release'), 'NAME="Debian"\nID=debian\nVERSION_ID="12"\n')
    await Bun.write(
      join(image, 'var/lib/dpkg/status.d/libc6'),
      'Package: libc6\nSource: glibc (2.36-9)\nVersion: 2.36-9+deb12u10\nArchitecture: amd64\nDescription: x\n',
    )
    await Bun.write(join(image, 'var/lib/dpkg/status.d/libc6.md5sums'), 'Package: no\nVersion: 1\n')
    expect(await parseDpkg(image)).toEqual([
      {
        name: 'libc6',
        version: '2.36-9+deb12u10',
        architecture: 'amd64',
        distribution: 'debian-12',
        source: 'glibc',
      },
    ])
  })

  test('are read from one file, without removed ones', async () => {
    const image = join(folder, 'slim')
    await Bun.write(
      join(image, 'var/lib/dpkg/status'),
      [
        'Package: b\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n',
        'Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n',
        'Package: a\nStatus: install ok installed\nVersion: 2:1.0\n',
      ].join('\n'),
    )
    expect((await parseDpkg(image)).map(({ name }) => name)).toEqual(['a', 'b'])
  })

  test('are empty without a package manager', async () => {
    await mkdir(join(folder, 'scratch'))
    expect(await parseDpkg(join(folder, 'scratch'))).toEqual([])
  })
})

describe('the document', () => {
  const contents = {
    name: 'tally',
    version: '1.2.3',
    bunVersion: '1.4.5',
    packages: productionPackages(lock),
    debian: [
      {
        name: 'libc6',
        version: '2:2.36+a',
        architecture: 'amd64',
        distribution: 'debian-12',
        source: 'glibc',
      },
    ],
    madeAt: new Date('2026-12-01T00:00:00Z'),
  }

  test('is the same for the same contents, and differs for others', () => {
    expect(buildSbom(contents)).toEqual(buildSbom(contents))
    expect(buildSbom({ ...contents, bunVersion: '1.4.6' }).serialNumber).not.toBe(
      buildSbom(contents).serialNumber,
    )
  })

  test('names every component by its package URL, with the hash that the lock file has', () => {
    const { components, dependencies } = buildSbom(contents)
    expect(components.map(({ purl }) => purl)).toEqual([
      'pkg:npm/bun@1.4.5',
      'pkg:npm/%40scope/one@1.0.0',
      'pkg:npm/inner@1.0.0',
      'pkg:npm/shared@1.0.0',
      'pkg:npm/left@1.0.0',
      'pkg:npm/shared@2.0.0',
      'pkg:deb/debian/libc6@2%3A2.36%2Ba?arch=amd64&distro=debian-12&upstream=glibc',
    ])
    expect(components[1]?.hashes).toEqual([{ alg: 'SHA-512', content: '01'.repeat(64) }])
    const refs = new Set(components.map((each) => each['bom-ref']))
    expect(refs.size).toBe(components.length)
    for (const { dependsOn } of dependencies) for (const ref of dependsOn) expect(refs).toContain(ref)
  })
})

import { describe, expect, test } from 'bun:test'
import { Glob } from 'bun'
import { packageManager } from '../../package.json'
import { root } from '../support/root.ts'

/** An image by digest, or by a tag that names one version: with the registry, and never `latest`. */
const pinned = /^[a-z0-9.-]+\.[a-z]+\/[a-z0-9./-]+(?:@sha256:[0-9a-f]{64}|:v?\d+\.\d+(?:\.\d+)*(?:-[a-z]+)?)$/

const dockerfile = await Bun.file(`${root}Dockerfile`).text()
const base = /^ARG BASE=(.*)$/m.exec(dockerfile)?.[1] ?? ''

/** The images that `image:` names, except our own, which a deployment names itself. */
async function imagesOf(path: string): Promise<string[]> {
  const text = await Bun.file(`${root}${path}`).text()
  return [...text.matchAll(/^\s*(?:- )?image: (\S+)$/gm)]
    .map(([, image = '']) => image)
    .filter((image) => !/^tally\b|\$\{/.test(image))
}

const files = [
  'compose.yaml',
  ...[
    ...new Glob('k8s/**/*.yaml').scanSync(root),
    ...new Glob('deploy/{argo,flux}/**/*.yaml').scanSync(root),
  ].sort(),
]
const images = (
  await Promise.all(files.map(async (file) => (await imagesOf(file)).map((image) => [file, image] as const)))
).flat()

describe('images are pinned', () => {
  test('the base of our image, to the Bun of package.json', () => {
    expect(base).toMatch(pinned)
    // By tag: no digest is known where this was written. A digest after the tag would do as well.
    expect(base).toContain(`:${packageManager.replace('bun@', '')}-`)
  })

  test('every stage starts from the base or from another stage', () => {
    const stages = [...dockerfile.matchAll(/^FROM (\S+)(?: AS (\S+))?$/gm)]
    const names = stages.map(([, , name]) => name)
    expect(stages.length).toBeGreaterThan(1)
    for (const [, from = ''] of stages) expect(['$' + '{BASE}', ...names]).toContain(from)
  })

  test('there are images to check', () => {
    expect(images.length).toBeGreaterThan(5)
  })

  test.each(images)('%s: %s', (_, image) => {
    expect(image).toMatch(pinned)
  })
})

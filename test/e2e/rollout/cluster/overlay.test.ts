import { describe, expect, test } from 'bun:test'
import { kustomizationOf } from './overlay.ts'

describe('the kustomization over the overlay', () => {
  test('parses an image, with the port of a registry and a digest', () => {
    const imageOf = (image: string) => kustomizationOf('..', { image }).images[0]
    expect(imageOf('tally:1')).toEqual({ name: 'tally', newName: 'tally', newTag: '1' })
    expect(imageOf('host:5000/tally')).toEqual({
      name: 'tally',
      newName: 'host:5000/tally',
      newTag: 'latest',
    })
    expect(imageOf('host:5000/tally@sha256:ab')).toEqual({
      name: 'tally',
      newName: 'host:5000/tally',
      digest: 'sha256:ab',
    })
  })

  test('merges settings and patches the API only when there are any', () => {
    expect(kustomizationOf('..', { image: 'tally:1' })).not.toHaveProperty('configMapGenerator')
    const changed = kustomizationOf('..', { image: 'tally:1', config: { A: 'b' }, patches: [{ spec: {} }] })
    expect(changed).toMatchObject({
      configMapGenerator: [{ name: 'tally', behavior: 'merge', literals: ['A=b'] }],
      patches: [{ target: { kind: 'Deployment', name: 'api' } }],
    })
  })
})

import { describe, expect, test } from 'bun:test'
import { readClusterSettings } from './settings.ts'

const images = { IMAGE: 'tally:1', NEXT_IMAGE: 'tally:2' }

describe('settings of the cluster test', () => {
  test('default to all parts and modes and large numbers; QUICK reduces them', () => {
    expect(readClusterSettings(images)).toMatchObject({
      parts: [
        'conformance',
        'rollouts',
        'guards',
        'outages',
        'autoscaling',
        'helm',
        'controls',
        'argo',
        'gateway',
      ],
      connections: ['reuse', 'no-reuse', 'mixed'],
      helmVersions: ['3', '4'],
      stopsMin: 100,
      requestsMin: 200_000,
      imageLoad: null,
    })
    expect(readClusterSettings({ ...images, QUICK: '1' })).toMatchObject({
      parts: ['conformance', 'rollouts', 'guards'],
      connections: ['mixed'],
      stopsMin: 0,
    })
  })

  test('the command that loads an image may have arguments', () => {
    const { imageLoad } = readClusterSettings({ ...images, IMAGE_LOAD: 'kind load docker-image' })
    expect(imageLoad).toEqual(['kind', 'load', 'docker-image'])
  })

  test('invalid and missing settings are refused by name', () => {
    expect(() => readClusterSettings({ IMAGE: 'tally:1' })).toThrow('NEXT_IMAGE')
    expect(() => readClusterSettings({ ...images, PARTS: 'rollouts,all' })).toThrow('PARTS')
    expect(() => readClusterSettings({ ...images, HELM_VERSIONS: '2' })).toThrow('HELM_VERSIONS')
    expect(() => readClusterSettings({ ...images, PROMETHEUS: 'elsewhere' })).toThrow('PROMETHEUS')
    expect(() => readClusterSettings({ ...images, CONNECTIONS: 'never' })).toThrow('CONNECTION')
    expect(() => readClusterSettings({ ...images, RATE: 'fast' })).toThrow('RATE')
    expect(() => readClusterSettings({ ...images, DURATION: 'long' })).toThrow('DURATION')
  })
})

import { describe, expect, test } from 'bun:test'
import { operationsOf } from '../../../rollout/cluster/endpoints.ts'
import { kustomizationOf } from '../../../rollout/cluster/overlay.ts'
import { drainTimeOf, workloadOf } from '../../../rollout/cluster/pods.ts'
import { readClusterSettings } from '../../../rollout/cluster/settings.ts'

const images = { IMAGE: 'tally:1', NEXT_IMAGE: 'tally:2' }

describe('settings of the cluster test', () => {
  test('everything, in all modes and in large numbers, unless it is to be quick', () => {
    expect(readClusterSettings(images)).toMatchObject({
      parts: ['rollouts', 'guards', 'outages', 'autoscaling', 'controls'],
      connections: ['reuse', 'no-reuse', 'mixed'],
      stopsMin: 100,
      requestsMin: 200_000,
      imageLoad: null,
    })
    expect(readClusterSettings({ ...images, QUICK: '1' })).toMatchObject({
      parts: ['rollouts', 'guards'],
      connections: ['mixed'],
      stopsMin: 0,
    })
  })

  test('the command that loads an image may have words of its own', () => {
    const { imageLoad } = readClusterSettings({ ...images, IMAGE_LOAD: 'kind load docker-image' })
    expect(imageLoad).toEqual(['kind', 'load', 'docker-image'])
  })

  test('what is wrong or missing is refused by name', () => {
    expect(() => readClusterSettings({ IMAGE: 'tally:1' })).toThrow('NEXT_IMAGE')
    expect(() => readClusterSettings({ ...images, PARTS: 'rollouts,all' })).toThrow('PARTS')
    expect(() => readClusterSettings({ ...images, CONNECTIONS: 'never' })).toThrow('CONNECTION')
    expect(() => readClusterSettings({ ...images, RATE: 'fast' })).toThrow('RATE')
    expect(() => readClusterSettings({ ...images, DURATION: 'long' })).toThrow('DURATION')
  })
})

describe('the kustomization over the overlay', () => {
  test("takes an image apart, a registry's port and a digest among it", () => {
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

test('a pod belongs to the Deployment or StatefulSet of its owner, or to nobody', () => {
  const owned = (name: string, owner: string, hash?: string) =>
    workloadOf({
      name,
      labels: hash === undefined ? {} : { 'pod-template-hash': hash },
      ownerReferences: [{ kind: 'any', name: owner }],
    })
  expect(owned('api-5d9-x', 'api-5d9', '5d9')).toBe('api')
  expect(owned('redis-0', 'redis')).toBe('redis')
  expect(workloadOf({ name: 'alone', labels: {}, ownerReferences: [] })).toBe('alone')
})

test('the begin of a drain is the time of its log line', () => {
  const line = '{"time":"2026-11-21T10:00:00.250Z","level":"info","msg":"draining: still serving"}'
  expect(drainTimeOf(line)).toBe(Date.parse('2026-11-21T10:00:00.250Z'))
  expect(drainTimeOf('{"time":"2026-11-21T10:00:00.250Z","msg":"stopped"}')).toBeNull()
})

test('the operations of an OpenAPI document are its methods, not its other members', () => {
  const document = { paths: { '/data': { get: {}, post: {}, summary: '' }, '/data/{id}': { put: {} } } }
  expect(operationsOf(JSON.stringify(document))).toEqual(['GET /data', 'POST /data', 'PUT /data/{id}'])
})

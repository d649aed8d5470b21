import { expect, test } from 'bun:test'
import { drainTimeOf, workloadOf } from './pods.ts'

test('a pod belongs to the Deployment or StatefulSet of its owner, or has no workload', () => {
  const owned = (name: string, owner: string, hash?: string) =>
    workloadOf({
      name,
      labels: hash === undefined ? {} : { 'pod-template-hash': hash },
      ownerReferences: [{ kind: 'any', name: owner }],
    })
  expect(owned('api-5d9-x', 'api-5d9', '5d9')).toBe('api')
  expect(owned('redis-0', 'redis')).toBe('redis')
  const labels = { 'rollouts-pod-template-hash': '7c4' }
  expect(workloadOf({ name: 'api-7c4-x', labels, ownerReferences: [{ kind: 'any', name: 'api-7c4' }] })).toBe(
    'api',
  )
  expect(workloadOf({ name: 'alone', labels: {}, ownerReferences: [] })).toBe('alone')
})

test('a drain begins at the time of its log line', () => {
  const line = '{"time":"2026-11-21T10:00:00.250Z","level":"info","msg":"draining"}'
  expect(drainTimeOf(line)).toBe(Date.parse('2026-11-21T10:00:00.250Z'))
  expect(drainTimeOf('{"time":"2026-11-21T10:00:00.250Z","msg":"stopped"}')).toBeNull()
})

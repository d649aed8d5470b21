/**
 * CONCURRENCY users (2) send payloads of SIZE (10mb) to a Kubernetes Service without a pause, while STOPS (2) of the pods
 * that serve them are evicted, one after the other, STOP_INTERVAL (30) seconds apart. A build that is stopped with these
 * requests in progress must answer them: the run fails if one is lost, and also if fewer pods than STOPS were evicted.
 *
 * deploy/argo/canary runs it as a Job against the canary's Service. It evicts by the API of KUBE_API, with the token of
 * the pod's service account; outside the cluster `kubectl proxy` serves that API without a token:
 *
 *     KUBE_API=http://127.0.0.1:8001 NAMESPACE=tally SERVICE_URL=http://127.0.0.1:8000 k6 run load/stop.ts
 */

import exec from 'k6/execution'
import http from 'k6/http'
import { Counter } from 'k6/metrics'
import { payloadJourney, requireHealthyTarget } from './journeys.ts'
import { optionsOf } from './profiles.ts'
import { parseSettings } from './settings.ts'

const settings = parseSettings(__ENV, { CONCURRENCY: '2', SIZE: '10mb' })
const stops = wholeNumber('STOPS', 2)
const intervalMs = wholeNumber('STOP_INTERVAL', 30) * 1_000
/** Every user has sent something by then. */
const firstStopMs = Math.min(5_000, intervalMs)
const retryMs = 1_000

const api = __ENV.KUBE_API || 'https://kubernetes.default.svc'
const namespace = __ENV.NAMESPACE ?? ''
if (namespace === '') throw new Error('NAMESPACE must name the namespace of the pods')
const token = __ENV.KUBE_API ? '' : open('/var/run/secrets/kubernetes.io/serviceaccount/token').trim()

const stopped = new Counter('pods_stopped')

const common = optionsOf('load', settings)
export const options = {
  ...common,
  scenarios: {
    stop: {
      executor: 'constant-vus',
      vus: settings.concurrency ?? 2,
      // The last pod has this long for its stop, and for the clients to reach another one.
      duration: `${(firstStopMs + stops * intervalMs) / 1_000}s`,
      // Longer than READ_TIMEOUT: an aborted request would be sent but never counted.
      gracefulStop: `${settings.readTimeoutMs / 1_000 + 5}s`,
    },
  },
  thresholds: { ...common.thresholds, pods_stopped: [`count>=${stops}`] },
}

export const setup = () => requireHealthyTarget(settings)
export { handleSummary } from './handle-summary.ts'

const sendPayload = payloadJourney(settings, settings.size)
// Each user has its own runtime; only the first one evicts. It evicts the pod that its own connection leads to, so that at
// least this user's next request is in progress when the pod gets SIGTERM.
let done = 0
let nextMs = firstStopMs

export default function sendAndEvict(): void {
  const pod = sendPayload()
  if (exec.vu.idInTest !== 1 || done >= stops || pod === '') return
  const elapsedMs = exec.instance.currentTestRunDuration
  if (elapsedMs < nextMs) return
  if (evict(pod)) {
    done++
    nextMs = elapsedMs + intervalMs
  } else {
    nextMs = elapsedMs + retryMs
  }
}

/** Evicts a pod. False if a PodDisruptionBudget does not allow it at present. */
function evict(pod: string): boolean {
  const response = http.post(
    `${api}/api/v1/namespaces/${namespace}/pods/${pod}/eviction`,
    JSON.stringify({ apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: pod, namespace } }),
    {
      headers: {
        'Content-Type': 'application/json',
        ...(token === '' ? {} : { Authorization: `Bearer ${token}` }),
      },
      timeout: settings.readTimeoutMs,
    },
  )
  if (response.status === 429) return false
  if (response.status !== 201) {
    exec.test.abort(`The eviction of ${pod} was refused: ${response.error || `status ${response.status}`}`)
  }
  stopped.add(1)
  return true
}

function wholeNumber(name: string, fallback: number): number {
  const value = __ENV[name] || String(fallback)
  if (!/^[1-9]\d{0,3}$/.test(value)) throw new Error(`${name}=${value}: must be a whole number above 0`)
  return Number(value)
}

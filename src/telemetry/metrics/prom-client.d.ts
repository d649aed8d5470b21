// Single modules of the package, which have no types of their own.
declare module 'prom-client/lib/registry.js' {
  import { Registry } from 'prom-client'
  export default Registry
}
declare module 'prom-client/lib/metrics/*.js' {
  import type { Registry } from 'prom-client'

  const register: (registry: Registry, options?: { readonly eventLoopMonitoringPrecision?: number }) => void
  export default register
}

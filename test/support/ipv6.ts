import { networkInterfaces } from 'node:os'

/** Whether this machine has the IPv6 loopback address. Containers often do not. */
export const hasIpv6 = Object.values(networkInterfaces())
  .flat()
  .some((each) => each?.address === '::1')

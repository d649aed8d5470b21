import { networkInterfaces } from 'node:os'

/** Whether this machine has the loopback address of IPv6. A container often has not. */
export const hasIpv6 = Object.values(networkInterfaces())
  .flat()
  .some((each) => each?.address === '::1')

// A thread that dies of whatever it is given.

declare const self: Worker

self.onmessage = () => {
  throw new Error('as told')
}

// A thread that exits on its first message.

declare const self: Worker

self.onmessage = () => {
  throw new Error('exits on purpose')
}

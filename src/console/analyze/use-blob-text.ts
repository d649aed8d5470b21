import { useEffect, useState } from 'react'

/** Maximum size to read, in bytes. */
const maxBytes = 4_096

/**
 * The text of a small blob, once read.
 *
 * @returns undefined for a large blob
 */
export function useBlobText(blob: Blob): string | undefined {
  const [text, setText] = useState<string>()
  useEffect(() => {
    let isCurrent = true
    setText(undefined)
    if (blob.size > maxBytes) return
    void blob.text().then((read) => {
      if (isCurrent) setText(read)
    })
    return () => {
      isCurrent = false
    }
  }, [blob])
  return text
}

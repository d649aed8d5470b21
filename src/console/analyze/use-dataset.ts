import { useCallback, useEffect, useState } from 'react'
import type { FileSummary } from './dataset.ts'
import { DatasetClient } from './dataset-client.ts'

/** A file that the worker has read. */
export interface LoadedFile extends FileSummary {
  readonly name: string
  readonly size: number
}

/** The state of the last file. */
export type FileState =
  | { readonly state: 'none' }
  | { readonly state: 'reading'; readonly name: string }
  | { readonly state: 'failed'; readonly name: string; readonly reason: string }
  | { readonly state: 'loaded'; readonly file: LoadedFile }

/** The view's worker and its file. */
export function useDataset() {
  const [dataset, setDataset] = useState<DatasetClient>()
  const [file, setFile] = useState<FileState>({ state: 'none' })
  useEffect(() => {
    const created = new DatasetClient()
    setDataset(created)
    return () => created.close()
  }, [])
  const readFile = useCallback(
    async (chosen: File): Promise<LoadedFile | undefined> => {
      const { name, size } = chosen
      setFile({ state: 'reading', name })
      try {
        const summary = await dataset?.call('readFile', { file: chosen })
        if (summary === undefined) return undefined
        const loaded = { ...summary, name, size }
        setFile({ state: 'loaded', file: loaded })
        return loaded
      } catch (error) {
        setFile({ state: 'failed', name, reason: (error as Error).message })
        return undefined
      }
    },
    [dataset],
  )
  const clearFile = useCallback(() => setFile({ state: 'none' }), [])
  return { dataset, file, readFile, clearFile }
}

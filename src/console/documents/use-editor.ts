import { useCallback, useEffect, useState } from 'react'
import { type Problem, RequestFailed, toProblem } from '../api/problem.ts'
import {
  createDocument,
  deleteDocument,
  readDocument,
  replaceDocument,
  type StoredDocument,
} from './document-api.ts'

/** The state of the editor. */
export interface EditorState {
  readonly text: string
  /** The version that the text is based on; undefined for a new document. */
  readonly base?: StoredDocument | undefined
  readonly problem?: Problem | undefined
  /** The version that another client stored meanwhile. */
  readonly conflict?: StoredDocument | undefined
  readonly isBusy: boolean
  /** Whether the text is stored. */
  readonly isSaved: boolean
}

const newText = '{\n  "name": "example",\n  "value": 1\n}'
const initialState = (id: string | undefined): EditorState => ({
  text: id === undefined ? newText : '',
  isBusy: false,
  isSaved: false,
})

export interface EditorEvents {
  readonly onCreated: (id: string) => void
  readonly onChanged: () => void
  readonly onDeleted: () => void
}

/** Edits one document, or creates one. */
export function useEditor(id: string | undefined, { onCreated, onChanged, onDeleted }: EditorEvents) {
  const [state, setState] = useState(() => initialState(id))
  const [shownId, setShownId] = useState(id)
  // In an effect, the reset could follow the first keystrokes and delete them.
  if (shownId !== id) {
    setShownId(id)
    setState(initialState(id))
  }
  const update = useCallback(
    (change: Partial<EditorState>) => setState((before) => ({ ...before, ...change })),
    [],
  )

  useEffect(() => {
    if (id === undefined) return
    const controller = new AbortController()
    readDocument(id, controller.signal).then(
      (base) => update({ base, text: indent(base.text) }),
      (error) => {
        if (!controller.signal.aborted) update({ problem: toProblem(error) })
      },
    )
    return () => controller.abort()
  }, [id, update])

  /** Runs an action and shows its error. */
  const attempt = async (action: () => Promise<void>): Promise<void> => {
    update({ isBusy: true, problem: undefined, conflict: undefined })
    try {
      await action()
      update({ isBusy: false })
    } catch (error) {
      const conflict = await findConflict(error, id)
      update({ isBusy: false, problem: toProblem(error), conflict })
    }
  }
  const { text, base, conflict } = state
  return {
    state,
    isLoaded: id === undefined || base !== undefined,
    edit: (changed: string) => update({ text: changed, isSaved: false }),
    save: () =>
      attempt(async () => {
        if (base === undefined) return onCreated(await createDocument(text))
        update({ base: await replaceDocument({ ...base, text }), isSaved: true })
        onChanged()
      }),
    remove: () =>
      attempt(async () => {
        if (base !== undefined) await deleteDocument(base)
        onDeleted()
      }),
    /** Continues with the other version, or replaces it with this text. */
    resolve: (keep: 'theirs' | 'mine') => {
      if (conflict === undefined) return
      const resolved = keep === 'theirs' ? indent(conflict.text) : text
      update({ base: conflict, text: resolved, conflict: undefined, problem: undefined })
    },
  }
}

/** Reads the present version if the error is a version conflict. */
async function findConflict(error: unknown, id: string | undefined): Promise<StoredDocument | undefined> {
  if (id === undefined || !(error instanceof RequestFailed) || error.problem.status !== 412) return undefined
  return readDocument(id, new AbortController().signal).catch(() => undefined)
}

/** Formats JSON on several lines, unless that would change a number: JavaScript cannot represent every JSON number. */
function indent(text: string): string {
  try {
    const value: unknown = JSON.parse(text)
    return JSON.stringify(value) === text ? JSON.stringify(value, null, 2) : text
  } catch {
    return text
  }
}

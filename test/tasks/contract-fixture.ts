import type { QueueOptions } from '../../src/tasks/queue-options.ts'
import type { NewTask, Task } from '../../src/tasks/task.ts'
import type { ConsumeOptions, Consumer, TaskHandler, TaskQueue } from '../../src/tasks/task-queue.ts'

/** What the parts of the contract share: an empty queue for each test, with short times. */
export interface QueueFixture {
  /** The queue of the running test. */
  readonly queue: TaskQueue
  /** Opens another instance of the same queue. */
  open(options?: Partial<QueueOptions>): Promise<TaskQueue>
  /** Runs two tasks at a time by default. */
  consume(handler: TaskHandler, options?: Partial<ConsumeOptions>, on?: TaskQueue): Consumer
  /** Resolves with the task when it has ended. */
  waitForEnd(id: string, on?: TaskQueue): Promise<Task>
  /**
   * Shifts the clock of the queue's server by this many ms; undefined if there is no server, or its clock cannot be
   * shifted.
   */
  readonly jumpServerClock: ((ms: number) => Promise<void>) | undefined
  /** Adds a task and returns its id. */
  add(payload?: string, options?: Partial<NewTask>): Promise<string>
}

/** A consumer that never ends a task by itself, to observe it. */
export const hangUntilAborted: TaskHandler = (_, { signal }) =>
  new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))

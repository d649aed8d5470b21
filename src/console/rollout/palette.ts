/** Colors that are told apart with any color vision (Okabe and Ito, 2008), as variables of the style sheet. */
const colors = [
  '--instance-1',
  '--instance-2',
  '--instance-3',
  '--instance-4',
  '--instance-5',
  '--instance-6',
] as const
/** With more instances than colors, and for those who see none, lines differ by their dashes as well. */
const dashes = [[], [6, 3], [2, 2], [8, 3, 2, 3], [1, 3], [10, 4]] as const

export interface InstanceStyle {
  /** The name of a variable. */
  readonly color: string
  /** As canvas and SVG use it. */
  readonly dash: readonly number[]
}

/** The style of the instance that appeared as the `index`th. */
export function instanceStyle(index: number): InstanceStyle {
  return {
    color: colors[index % colors.length] as string,
    dash: dashes[Math.floor(index / colors.length) % dashes.length] as readonly number[],
  }
}

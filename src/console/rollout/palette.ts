/** Colors that differ for every kind of color vision (Okabe and Ito, 2008), as variables of the style sheet. */
const colors = [
  '--instance-1',
  '--instance-2',
  '--instance-3',
  '--instance-4',
  '--instance-5',
  '--instance-6',
] as const
/** Dashes also distinguish lines, for more instances than colors and for people who see no colors. */
const dashes = [[], [6, 3], [2, 2], [8, 3, 2, 3], [1, 3], [10, 4]] as const

export interface InstanceStyle {
  /** The name of a variable. */
  readonly color: string
  /** For canvas and SVG. */
  readonly dash: readonly number[]
}

/** The style of the `index`th instance. */
export function instanceStyle(index: number): InstanceStyle {
  return {
    color: colors[index % colors.length] as string,
    dash: dashes[Math.floor(index / colors.length) % dashes.length] as readonly number[],
  }
}

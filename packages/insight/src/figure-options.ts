/** Words and size that every figure has. */
export interface FigureOptions {
  /** Heading of the figure. */
  readonly title?: string | undefined;
  /** Width in pixels. Default 720. */
  readonly width?: number | undefined;
  /** Height in pixels. Default 400. */
  readonly height?: number | undefined;
}

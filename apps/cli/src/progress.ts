/** What is known of a training at one moment. */
export interface Progress {
  readonly step: number;
  readonly steps: number;
  /** Mean loss since the last report, nats per token. */
  readonly loss: number;
  readonly validationLoss?: number | undefined;
  readonly charactersPerSecond: number;
  /** Until the last step, or the end of the time that was given. */
  readonly secondsLeft: number;
}

const number = (value: number): string => Math.round(value).toLocaleString('en-US');

/** `step 1,200/2,000  loss 1.234  validation 1.345  12,345 characters/s  1 min 20 s left` */
export function progressText({
  step,
  steps,
  loss,
  validationLoss,
  charactersPerSecond,
  secondsLeft,
}: Progress): string {
  const total = number(steps);
  return [
    `step ${number(step).padStart(total.length)}/${total}`,
    progressBar(step / steps),
    `loss ${loss.toFixed(3)}`,
    `validation ${validationLoss === undefined ? '  –  ' : validationLoss.toFixed(3)}`,
    `${number(charactersPerSecond).padStart(6)} characters/s`,
    `${progressDuration(secondsLeft)} left`,
  ].join('  ');
}

/** A bar of ten characters. */
export function progressBar(share: number): string {
  const filled = Math.max(0, Math.min(10, Math.round(10 * share)));
  return '━'.repeat(filled) + '─'.repeat(10 - filled);
}

/** `45 s`, `3 min 20 s`, `2 h 5 min`. */
export function progressDuration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min ${whole % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

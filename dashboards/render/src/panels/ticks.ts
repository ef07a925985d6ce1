/** Where an axis of time has its marks. */

const SECONDS = [5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 86400];

/** Round times between *start* and *end*, at *most* so many, none close to an edge. */
export function ticks(start: number, end: number, most: number): number[] {
  const steps = SECONDS.map((seconds) => 1000 * seconds);
  const step = steps.find((each) => (end - start) / each <= most) ?? end - start;
  const first = Math.ceil((start + step / 3) / step) * step;
  return Array.from({ length: Math.floor((end - step / 3 - first) / step) + 1 }, (_, index) => first + index * step);
}

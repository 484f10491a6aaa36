/**
 * The bound of what one label may say. Our labels are closed sets (kinds, outcomes, phases, routes), so it is never met;
 * it holds all the same, whatever a later caller passes: a Prometheus that is flooded with series is down for everybody.
 */
const PLAIN = /^[A-Za-z0-9_./:*{}-]{1,120}$/;
const OTHER = "other";

/** Of one label of one metric: the first `most` values stand for themselves, what comes later is `other`. */
export function createLabelBound(most: number): (value: string) => string {
  const known = new Set<string>();
  return (value) => {
    if (known.has(value)) return value;
    if (known.size >= most || !PLAIN.test(value)) return OTHER;
    known.add(value);
    return value;
  };
}
